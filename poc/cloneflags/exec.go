package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// Commands of fcntl (include/uapi/linux/fcntl.h).
const (
	setLease = 1024
	getLease = 1025
)

// stuckLimit is how long a thread may take to get stuck in execve, and to get
// out. It is below the 45 seconds after which the kernel takes a lease away
// (fs.lease-break-time).
const stuckLimit = 20 * time.Second

// execing asks for children before, while and after another thread is inside
// execve. That one runs a script, and waits for the script's interpreter, which
// this thread has a lease on. The interpreter is no program, so that execve
// fails and the process lives on.
//
// While the other thread waits nothing here may need the Go runtime. It makes
// threads with CLONE_FS itself, and ends the process when it gets none.
func execing(p *probe.P) {
	dir, err := os.MkdirTemp("", "exec")
	defer os.RemoveAll(dir)
	interpreter, script := filepath.Join(dir, "interpreter"), filepath.Join(dir, "script")
	if err == nil {
		err = os.WriteFile(interpreter, []byte("no program\n"), 0o755)
	}
	if err == nil {
		err = os.WriteFile(script, []byte("#!"+interpreter+"\n"), 0o755)
	}
	var file *os.File
	if err == nil {
		file, err = os.Open(interpreter)
	}
	o := p.Observe("lease")
	if err != nil {
		o.Unknown("ret", err.Error()).Emit()
		return
	}
	defer file.Close()
	l := lease(file.Fd())
	ok := o.Returned("fcntl(F_SETLEASE, F_WRLCK)", 0, l.set(syscall.F_WRLCK))
	o.Emit()
	if !ok {
		return
	}

	runtime.GOMAXPROCS(2) // the other thread keeps one for itself
	before := childOf(p, fs)
	call := &execve{argv: [2]*byte{cString(script)}}
	go call.make()
	err = until(l.wanted)
	during, without := childOf(p, fs), childOf(p, 0)
	l.set(syscall.F_UNLCK)
	if end := until(func() bool { return atomic.LoadUint32(&call.ended) != 0 }); err == nil {
		err = end
	}
	after := childOf(p, fs)

	o = p.Observe("execve")
	if err != nil {
		o.Unknown("ret", err.Error()).Emit()
		return
	}
	o.Returned("execve", 0, call.errno)
	o.Emit()
	for _, c := range []struct {
		step string
		child
	}{
		{"before", before}, {"during", during}, {"during, without fs", without}, {"after", after},
	} {
		o := p.Observe(c.step)
		o.Returned(describe(c.flags), uintptr(c.pid), c.errno)
		o.Emit()
	}
}

// lease is a file whose openers have to wait.
type lease uintptr

func (l lease) set(kind uintptr) syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(l), setLease, kind)
	return errno
}

// wanted reports whether somebody waits: the lease is then told as what it has
// to become.
func (l lease) wanted() bool {
	kind, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(l), getLease, 0)
	return errno == 0 && kind != syscall.F_WRLCK
}

// execve is the call of the other thread.
type execve struct {
	argv  [2]*byte
	envp  [1]*byte
	errno syscall.Errno
	ended uint32
}

func (e *execve) make() {
	runtime.LockOSThread()
	// A raw call, so that the Go runtime does not look for another thread to go
	// on with.
	_, _, e.errno = syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(e.argv[0])),
		uintptr(unsafe.Pointer(&e.argv)), uintptr(unsafe.Pointer(&e.envp)))
	atomic.StoreUint32(&e.ended, 1)
	select {}
}

func cString(s string) *byte { return &append([]byte(s), 0)[0] }

// until waits without the Go runtime.
func until(done func() bool) error {
	pause := syscall.Timespec{Nsec: int64(time.Millisecond)}
	for end := time.Now().Add(stuckLimit); !done(); {
		if time.Now().After(end) {
			return errors.New("nobody waits for the lease, or execve does not end")
		}
		syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0)
	}
	return nil
}

// child is a process that was asked for.
type child struct {
	flags uint64
	pid   int
	errno syscall.Errno
}

// childOf asks for one that ends at once, and waits for it.
func childOf(p *probe.P, flags uint64) child {
	c := child{flags: flags | p.Kernel.Signal.Chld}
	c.pid, c.errno = p.Kernel.Clone(&sys.CloneArgs{Flags: c.flags})
	if c.errno == 0 {
		syscall.RawSyscall6(syscall.SYS_WAIT4, uintptr(c.pid), 0, 0, 0, 0, 0)
	}
	return c
}
