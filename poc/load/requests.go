package load

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

const (
	requestBytes = 64
	replyBytes   = 256
)

// end is one end of a connection.
type end interface {
	io.Reader
	io.Writer
	Close() error
}

// requests has n goroutines on both ends of n/2 connections. Each client calls pause, sends a
// request, and waits for the reply. An operation is from one reply to the next.
func requests(m *meter, n int, pause func(), connect func() (client, server end, err error)) error {
	var clients, servers []end
	var served sync.WaitGroup
	shut := func(ends []end) {
		for _, e := range ends {
			e.Close()
		}
	}
	// Servers do not wait for the end of their clients. A burst of closed connections overflows
	// the queue of the loopback, and a kernel with many of them tells the other side only once.
	defer served.Wait()
	defer func() { shut(clients); shut(servers) }()
	for len(clients) < n/2 {
		client, server, err := connect()
		if err != nil {
			return err
		}
		clients, servers = append(clients, client), append(servers, server)
		served.Add(1)
		go func() {
			defer served.Done()
			serve(server)
		}()
	}
	// A packet that is lost may be sent again minutes later. No load waits for that.
	m.late = func() { shut(clients) }
	m.each(len(clients), func(who int) {
		var request [requestBytes]byte
		var reply [replyBytes]byte
		for began := time.Now(); !m.over(); began = m.did(who, began, 1) {
			pause()
			_, err := clients[who].Write(request[:])
			if err == nil {
				_, err = io.ReadFull(clients[who], reply[:])
			}
			if err != nil {
				if m.over() {
					return // it was closed
				}
				panic(fmt.Sprintf("a request and its reply: %v", err))
			}
		}
	})
	return nil
}

// serve answers requests until the connection is closed.
func serve(server end) {
	var request [requestBytes]byte
	var reply [replyBytes]byte
	for {
		if _, err := io.ReadFull(server, request[:]); err != nil {
			return
		}
		if _, err := server.Write(reply[:]); err != nil {
			return
		}
	}
}

// pipeEnd is one end of two pipes in the memory of this process.
type pipeEnd struct {
	*io.PipeReader
	*io.PipeWriter
}

func (e pipeEnd) Close() error {
	e.PipeReader.Close()
	return e.PipeWriter.Close()
}

// overPipes sends requests over pipes in memory, without the kernel. The clients call Gosched
// before each request. The scheduler would otherwise let the two ends of a pipe take turns for 10 ms
// before any other goroutine runs, and thousands of them would not run at all.
func overPipes(n int) func(*probe.P, *meter) error {
	return func(_ *probe.P, m *meter) error {
		return requests(m, n, runtime.Gosched, func() (end, end, error) {
			there, sent := io.Pipe()
			back, replied := io.Pipe()
			return pipeEnd{back, sent}, pipeEnd{there, replied}, nil
		})
	}
}

// overLoopback sends requests over TCP to this machine. It does without package net, which
// would make the guest image a megabyte larger; reads and writes wait in the same poller.
func overLoopback(n int) func(*probe.P, *meter) error {
	return func(_ *probe.P, m *meter) error {
		if limit.WholeMachine() {
			raiseLoopback() // in a guest nobody else did; if it fails, connect says so
		}
		listener, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return failed("socket(AF_INET)", err)
		}
		defer syscall.Close(listener)
		if err := syscall.Bind(listener, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			return failed("bind(127.0.0.1)", err)
		}
		if err := syscall.Listen(listener, 1); err != nil {
			return failed("listen", err)
		}
		address, err := syscall.Getsockname(listener)
		if err != nil {
			return failed("getsockname", err)
		}
		return requests(m, n, func() {}, func() (end, end, error) { return dial(listener, address) })
	}
}

// dial makes a connection to a listener of this process.
func dial(listener int, address syscall.Sockaddr) (client, server end, err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, failed("socket(AF_INET)", err)
	}
	// A limit of time for the call would make the signals of the Go scheduler end it (signal(7)).
	if err := syscall.Connect(fd, address); err != nil {
		syscall.Close(fd)
		return nil, nil, failed("connect(127.0.0.1)", err)
	}
	other, _, err := syscall.Accept4(listener, syscall.SOCK_CLOEXEC)
	if err != nil {
		syscall.Close(fd)
		return nil, nil, failed("accept4", err)
	}
	return polled(fd), polled(other), nil
}

// polled returns a socket as a file that waits in the runtime's poller. A reply must not wait
// until more is to be sent.
func polled(fd int) *os.File {
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) // without it the load is slower, and still one
	limit.Must(syscall.SetNonblock(fd, true))
	return os.NewFile(uintptr(fd), "socket")
}

// Requests for the state of a network interface (include/uapi/linux/sockios.h).
const (
	getInterfaceFlags = 0x8913
	setInterfaceFlags = 0x8914
)

// raiseLoopback makes 127.0.0.1 reachable.
func raiseLoopback() {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer syscall.Close(fd)
	request := struct { // struct ifreq
		name  [16]byte
		flags uint16
		_     [22]byte
	}{name: [16]byte{'l', 'o'}}
	ask := func(what uintptr) syscall.Errno {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), what, uintptr(unsafe.Pointer(&request)))
		return errno
	}
	if ask(getInterfaceFlags) == 0 && request.flags&syscall.IFF_UP == 0 {
		request.flags |= syscall.IFF_UP
		ask(setInterfaceFlags)
	}
}
