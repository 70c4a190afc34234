package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
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

// waitAll is __WALL: wait4 takes a child that ends without a signal, too
// (include/uapi/linux/wait.h).
const waitAll = 0x40000000

// execing asks for children before, while and after another thread is inside
// execve. That one runs a script, and waits for the script's interpreter, which
// this thread has a lease on. The interpreter is no program, so that execve
// fails and the process lives on to say so.
//
// While the other thread waits the Go runtime gets no thread: it asks with
// CLONE_FS, and ends the process when it is refused. So the other thread is none
// of the runtime's, and this one keeps the only P and calls nothing that might
// give it away.
func execing(p *probe.P) {
	o := p.Observe("lease")
	dir, err := os.MkdirTemp("", "exec")
	if err != nil {
		o.Unknown("ret", err.Error()).Emit()
		return
	}
	defer os.RemoveAll(dir)
	argv, file, err := noProgram(dir)
	if err != nil {
		o.Unknown("ret", err.Error()).Emit()
		return
	}
	defer file.Close()
	e := &execve{kernel: p.Kernel, pid: os.Getpid(), lease: lease(file.Fd())}
	ok := o.Returned("fcntl(F_SETLEASE, F_WRLCK)", 0, e.lease.set(syscall.F_WRLCK))
	o.Emit()
	if !ok {
		return
	}

	runtime.GOMAXPROCS(1) // a P without work wants a thread
	before := childOf(p.Kernel, fs)
	tid, errno, err := p.Kernel.CloneFirst(goThread, [4]uintptr{syscall.SYS_EXECVE,
		uintptr(unsafe.Pointer(argv[0])), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&argv[1]))})
	if err == nil && errno == 0 {
		e.attend(tid)
	}
	runtime.KeepAlive(argv)

	o = p.Observe("execve")
	if err == nil && errno == 0 && !e.waited {
		err = errors.New("the thread did not wait for the lease")
	}
	if err != nil {
		o.Unknown("ret", err.Error()).Emit()
		return
	}
	ok = o.Returned(describe(goThread)+" for execve", uintptr(tid), errno)
	o.Emit()
	if !ok {
		return
	}
	after := childOf(p.Kernel, fs)
	for _, c := range []struct {
		step string
		child
	}{
		{"before", before}, {"during", e.during}, {"during, without fs", e.without}, {"after", after},
	} {
		o := p.Observe(c.step)
		o.Returned(describe(c.flags), uintptr(c.pid), c.errno)
		o.Emit()
	}
}

// noProgram makes a script, the arguments to run it with, and opens its
// interpreter, which cannot be run.
func noProgram(dir string) (argv []*byte, file *os.File, err error) {
	interpreter, script := filepath.Join(dir, "interpreter"), filepath.Join(dir, "script")
	if err = os.WriteFile(interpreter, []byte("no program\n"), 0o755); err != nil {
		return nil, nil, err
	}
	if err = os.WriteFile(script, []byte("#!"+interpreter+"\n"), 0o755); err != nil {
		return nil, nil, err
	}
	if argv, err = syscall.SlicePtrFromStrings([]string{script}); err != nil {
		return nil, nil, err
	}
	file, err = os.Open(interpreter)
	return argv, file, err
}

// execve is what happens while a thread is inside it. Functions marked nosplit
// are all that runs meanwhile: not even their stack needs the Go runtime.
type execve struct {
	kernel          *sys.Kernel
	pid             int
	lease           lease
	during, without child
	waited          bool // the thread was still there after both
}

// attend asks for children while the thread waits for the lease, gives the lease
// back and sees the thread end. Whoever started this process bounds the waits. A
// thread that did not wait, or no longer because the kernel broke the lease
// (fs.lease-break-time), is gone too early.
//
//go:nosplit
//go:norace
func (e *execve) attend(tid int) {
	for !e.lease.wanted() && e.runs(tid) {
		pause()
	}
	e.during, e.without = childOf(e.kernel, fs), childOf(e.kernel, 0)
	e.waited = e.runs(tid)
	e.lease.set(syscall.F_UNLCK)
	for e.runs(tid) {
		pause()
	}
}

//go:nosplit
//go:norace
func (e *execve) runs(tid int) bool { return e.kernel.Tgkill(e.pid, tid, 0) == 0 }

// pause lets another thread run where there is one CPU.
//
//go:nosplit
//go:norace
func pause() {
	t := syscall.Timespec{Nsec: int64(time.Millisecond)}
	syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}

// lease is a file whose openers have to wait.
type lease uintptr

//go:nosplit
//go:norace
func (l lease) set(kind uintptr) syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(l), setLease, kind)
	return errno
}

// wanted reports whether somebody waits: the lease is then told as what it has
// to become.
//
//go:nosplit
//go:norace
func (l lease) wanted() bool {
	kind, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(l), getLease, 0)
	return errno == 0 && kind != syscall.F_WRLCK
}

// child is a process that was asked for.
type child struct {
	flags uint64
	pid   int
	errno syscall.Errno
}

// childOf asks for one that ends at once, and waits for it. No signal tells of
// its end: the other thread, which cannot run Go's handler, might get it.
//
//go:nosplit
//go:norace
func childOf(k *sys.Kernel, flags uint64) child {
	pid, errno := k.Clone(&sys.CloneArgs{Flags: flags})
	for waited := syscall.EINTR; errno == 0 && waited == syscall.EINTR; {
		_, _, waited = syscall.RawSyscall6(syscall.SYS_WAIT4, uintptr(pid), 0, waitAll, 0, 0, 0)
	}
	return child{flags, pid, errno}
}
