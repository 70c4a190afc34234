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

// settleTime is how long the Go runtime gets to make the threads that it wanted
// when this and the other thread still ran its code.
const settleTime = time.Second

// execing asks for children before, while and after another thread is inside
// execve. That one runs a script, and waits for the script's interpreter, which
// this thread has a lease on. The interpreter is no program, so that execve
// fails and the process lives on.
//
// While the other thread waits nothing here may need the Go runtime. It makes
// threads with CLONE_FS itself, and ends the process when it gets none.
func execing(p *probe.P) {
	o := p.Observe("lease")
	dir, err := os.MkdirTemp("", "exec")
	if err != nil {
		o.Unknown("ret", err.Error()).Emit()
		return
	}
	defer os.RemoveAll(dir)
	script, file, err := noProgram(dir)
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

	runtime.GOMAXPROCS(2) // one for each, and none for which another thread is wanted
	call := &execve{argv: [2]*byte{cString(script)}}
	go call.make()
	err = until(func() bool { return atomic.LoadUint32(&call.stage) == ready })
	settled := time.Now().Add(settleTime)
	_ = until(func() bool { return time.Now().After(settled) })
	before := childOf(p, fs)
	atomic.StoreUint32(&call.stage, started)
	if end := until(l.wanted); err == nil {
		err = end
	}
	during, without := childOf(p, fs), childOf(p, 0)
	l.set(syscall.F_UNLCK)
	if end := until(func() bool { return atomic.LoadUint32(&call.stage) == ended }); err == nil {
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

// noProgram makes a script, and opens its interpreter, which cannot be run.
func noProgram(dir string) (script string, file *os.File, err error) {
	interpreter, script := filepath.Join(dir, "interpreter"), filepath.Join(dir, "script")
	if err = os.WriteFile(interpreter, []byte("no program\n"), 0o755); err != nil {
		return "", nil, err
	}
	if err = os.WriteFile(script, []byte("#!"+interpreter+"\n"), 0o755); err != nil {
		return "", nil, err
	}
	file, err = os.Open(interpreter)
	return script, file, err
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
	stage uint32
}

// Stages of execve.
const (
	ready   = 1 // the other thread waits
	started = 2
	ended   = 3
)

func (e *execve) make() {
	runtime.LockOSThread()
	atomic.StoreUint32(&e.stage, ready)
	if until(func() bool { return atomic.LoadUint32(&e.stage) == started }) != nil {
		select {}
	}
	// A raw call, so that the Go runtime does not look for another thread to go
	// on with.
	_, _, e.errno = syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(e.argv[0])),
		uintptr(unsafe.Pointer(&e.argv)), uintptr(unsafe.Pointer(&e.envp)))
	atomic.StoreUint32(&e.stage, ended)
	select {}
}

func cString(s string) *byte { return &append([]byte(s), 0)[0] }

// until waits without the Go runtime.
func until(done func() bool) error {
	pause := syscall.Timespec{Nsec: int64(time.Millisecond)}
	for end := time.Now().Add(stuckLimit); !done(); {
		if time.Now().After(end) {
			return errors.New("the other thread does not begin execve, wait for the lease, or end")
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
