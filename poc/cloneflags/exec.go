package cloneflags

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

// waitAll is __WALL: wait4 also returns a child that ends without a signal
// (include/uapi/linux/wait.h).
const waitAll = 0x40000000

// execing asks for children before, while and after another thread is inside
// execve. That thread executes a script and waits for the script's interpreter, on
// which this thread has a lease. The interpreter is not a program, so execve fails
// and the process survives to report.
//
// While that thread waits, the Go runtime can make no thread: it asks with
// CLONE_FS, and ends the process when refused. So that thread is not one of the
// runtime's. This one keeps the only P and calls nothing that might give the P
// away.
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

	runtime.GOMAXPROCS(1) // an idle P asks for a thread
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

// noProgram makes a script and the arguments to run it with. It also opens the
// script's interpreter, which cannot be run.
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

// execve records what happens while a thread is inside the call. Meanwhile only
// functions marked nosplit run, because growing a stack would need the Go runtime.
type execve struct {
	kernel          *sys.Kernel
	pid             int
	lease           lease
	during, without child
	waited          bool // the thread was still waiting after both clones
}

// attend asks for children while the thread waits for the lease. It then gives the
// lease back and waits until the thread ends. Whoever started this process bounds
// the waits. A thread that is gone too early did not wait, or the kernel broke the
// lease (fs.lease-break-time).
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

// pause lets another thread run on a machine with one CPU.
//
//go:nosplit
//go:norace
func pause() {
	t := syscall.Timespec{Nsec: int64(time.Millisecond)}
	syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}

// lease is the descriptor of a file that others must wait for when they open it.
type lease uintptr

//go:nosplit
//go:norace
func (l lease) set(kind uintptr) syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(l), setLease, kind)
	return errno
}

// wanted reports whether somebody waits for the lease. F_GETLEASE then returns the
// kind that the lease must become.
//
//go:nosplit
//go:norace
func (l lease) wanted() bool {
	kind, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(l), getLease, 0)
	return errno == 0 && kind != syscall.F_WRLCK
}

// child is the result of a request for a process.
type child struct {
	flags uint64
	pid   int
	errno syscall.Errno
}

// childOf makes a child that ends at once, and waits for it. The child's end sends
// no signal: the other thread might get it and cannot run Go's handler.
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
