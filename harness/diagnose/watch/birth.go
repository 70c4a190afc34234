package watch

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/sys"
)

// birth makes the process that will watch. It traces the thread that makes it, waits
// until that thread has executed the program, and executes the watcher. While it waits
// it is one task without a Go runtime, and when the watcher begins, the threads of this
// process are gone. So a limit that let this process begin lets the watcher begin too.
//
// It is a grandchild, so that the program does not meet a child that it has not made. Its
// session is its own, and all signals are blocked in it: it must outlive the program.
type birth struct {
	clone   [7]uintptr
	seize   [5]uintptr
	execute [4]uintptr
	last    [4]uintptr // writes a message when the watcher cannot be executed
	numbers struct{ exit, wait, write, ptrace, setsid uintptr }
	pipe    [2]int
	told    [1]int32 // the errno of PTRACE_SEIZE
	status  uint32
	// keep holds what the calls refer to by address.
	keep []any
}

// From include/uapi/linux/ptrace.h and wait.h.
const (
	ptraceSeize   = 0x4206
	eventExec     = 4
	waitAllKinds  = 0x40000000 // __WALL
	stoppedStatus = 0x7f
)

func newBirth(k *sys.Kernel, options int, watcher Program) (*birth, error) {
	path, err := syscall.BytePtrFromString(watcher.Path)
	if err != nil {
		return nil, err
	}
	args, err := syscall.SlicePtrFromStrings(watcher.Args)
	if err != nil {
		return nil, err
	}
	env, err := syscall.SlicePtrFromStrings(watcher.Env)
	if err != nil {
		return nil, err
	}
	message := []byte("mapstack: " + watcher.Path + " cannot be executed to watch the program\n")
	b := &birth{keep: []any{path, args, env, message}}
	b.clone[0] = uintptr(k.Syscall.Clone)
	for i, argument := range k.CloneOrder {
		if argument == abi.CloneFlags {
			b.clone[1+i] = uintptr(k.Signal.Chld)
		}
	}
	b.seize = [5]uintptr{syscall.SYS_PTRACE, ptraceSeize, uintptr(unix.Gettid()), 0, uintptr(options)}
	b.execute = [4]uintptr{syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0]))}
	b.last = [4]uintptr{syscall.SYS_WRITE, uintptr(syscall.Stderr), uintptr(unsafe.Pointer(&message[0])), uintptr(len(message))}
	b.numbers.exit, b.numbers.wait, b.numbers.write = uintptr(k.Syscall.Exit), syscall.SYS_WAIT4, syscall.SYS_WRITE
	b.numbers.ptrace, b.numbers.setsid = syscall.SYS_PTRACE, syscall.SYS_SETSID
	return b, nil
}

// errKilled is the error of a process that ended before it said whether it may trace.
var errKilled = errors.New("the process that asked for it was killed, as by a seccomp filter")

// start makes the process. When it returns nil the calling thread is traced, and must
// execute its program or end. The caller must hold runtime.LockOSThread.
func (b *birth) start() error {
	if err := syscall.Pipe2(b.pipe[:], syscall.O_CLOEXEC); err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer syscall.Close(b.pipe[0])
	pid, errno := b.fork()
	_ = syscall.Close(b.pipe[1])
	if errno != 0 {
		return fmt.Errorf("make a process that watches: %w", errno)
	}
	defer runtime.KeepAlive(b)
	for {
		if _, err := syscall.Wait4(int(pid), nil, 0, nil); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	var told [4]byte
	for {
		switch n, err := syscall.Read(b.pipe[0], told[:]); {
		case errors.Is(err, syscall.EINTR):
			continue
		case n != len(told):
			return fmt.Errorf("%w: PTRACE_SEIZE: %w", ErrForbidden, errKilled)
		}
		break
	}
	if errno := syscall.Errno(*(*int32)(unsafe.Pointer(&told))); errno != 0 {
		return fmt.Errorf("%w: PTRACE_SEIZE: %w", ErrForbidden, errno)
	}
	return nil
}

// fork makes the process with all signals blocked, which it keeps so.
func (b *birth) fork() (uintptr, syscall.Errno) {
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return 0, errnoOf(err)
	}
	pid, errno := b.split()
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil); err != nil && errno == 0 {
		errno = errnoOf(err)
	}
	return pid, errno
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return syscall.EINVAL
	}
	return errno
}

// split makes the two processes. In both it does not return, because nothing of the Go
// runtime works there.
//
//go:nosplit
//go:norace
func (b *birth) split() (uintptr, syscall.Errno) {
	c := &b.clone
	r, _, errno := syscall.RawSyscall6(c[0], c[1], c[2], c[3], c[4], c[5], c[6])
	if errno != 0 || r != 0 {
		return r, errno
	}
	r, _, errno = syscall.RawSyscall6(c[0], c[1], c[2], c[3], c[4], c[5], c[6])
	if errno == 0 && r == 0 {
		syscall.RawSyscall(b.numbers.setsid, 0, 0, 0)
		s := &b.seize
		_, _, errno = syscall.RawSyscall6(s[0], s[1], s[2], s[3], s[4], 0, 0)
	}
	if errno != 0 || r == 0 {
		b.told[0] = int32(errno)
		syscall.RawSyscall(b.numbers.write, uintptr(b.pipe[1]), uintptr(unsafe.Pointer(&b.told)), unsafe.Sizeof(b.told))
	}
	if errno == 0 && r == 0 && b.await() {
		syscall.RawSyscall(b.execute[0], b.execute[1], b.execute[2], b.execute[3])
		syscall.RawSyscall(b.last[0], b.last[1], b.last[2], b.last[3])
	}
	for {
		syscall.RawSyscall(b.numbers.exit, 0, 0, 0)
	}
}

// await lets the traced thread go on until it has executed the program, at whose first
// instruction it stands then. It reports false when the thread has ended before.
//
//go:nosplit
//go:norace
func (b *birth) await() bool {
	for {
		tid, _, errno := syscall.RawSyscall6(b.numbers.wait, ^uintptr(0), uintptr(unsafe.Pointer(&b.status)), waitAllKinds, 0, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 || b.status&0xff != stoppedStatus {
			return false
		}
		event, signal := b.status>>16, b.status>>8&0xff
		if event == eventExec {
			return true
		}
		if event != 0 || signal == uint32(syscall.SIGTRAP|0x80) {
			signal = 0
		}
		syscall.RawSyscall6(b.numbers.ptrace, syscall.PTRACE_CONT, tid, 0, uintptr(signal), 0, 0)
	}
}
