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
// It is a grandchild, so that the program does not meet a child that it has not made. It
// has a session of its own, and all signals are blocked in it, because it must outlive the
// program.
type birth struct {
	clone   [7]uintptr
	seize   [5]uintptr
	execute [4]uintptr
	last    [4]uintptr // writes a message when the watcher cannot be executed
	cramped [4]uintptr // writes a message when there is no room for it
	numbers struct{ exit, wait, ptrace, setsid, self, poll, kill, close, closeRange uintptr }
	traced  uintptr // the program
	status  uint32
	spare   [tasks - 1]uintptr
	// keep holds what the calls refer to by address.
	keep []any
}

// tasks is how many tasks the watcher is: its main thread, and those that the Go runtime
// makes. All of them count against the limits of the program's user and group.
const tasks = 7

// From include/uapi/linux/ptrace.h and wait.h.
const (
	ptraceSeize   = 0x4206
	ptraceListen  = 0x4208
	eventExec     = 4
	eventStop     = 128
	never         = 0          // no event
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
	cramped := fmt.Appendf(nil, "mapstack: the program is not watched: there is no room for the %d tasks that watch it. "+
		"A limit on tasks is nearly used up: RLIMIT_NPROC, pids.max or threads-max.\n", tasks)
	b := &birth{keep: []any{path, args, env, message, cramped}}
	b.clone[0] = uintptr(k.Syscall.Clone)
	for i, argument := range k.CloneOrder {
		if argument == abi.CloneFlags {
			b.clone[1+i] = uintptr(k.Signal.Chld)
		}
	}
	b.seize = [5]uintptr{syscall.SYS_PTRACE, ptraceSeize, uintptr(unix.Gettid()), 0, uintptr(options)}
	b.execute = [4]uintptr{syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0]))}
	b.last = [4]uintptr{syscall.SYS_WRITE, uintptr(syscall.Stderr), uintptr(unsafe.Pointer(&message[0])), uintptr(len(message))}
	b.cramped = [4]uintptr{syscall.SYS_WRITE, uintptr(syscall.Stderr), uintptr(unsafe.Pointer(&cramped[0])), uintptr(len(cramped))}
	b.numbers.exit, b.numbers.wait, b.numbers.self = uintptr(k.Syscall.Exit), syscall.SYS_WAIT4, syscall.SYS_GETPID
	b.numbers.ptrace, b.numbers.setsid = syscall.SYS_PTRACE, syscall.SYS_SETSID
	b.numbers.poll, b.numbers.kill = syscall.SYS_PPOLL, syscall.SYS_KILL
	// close_range follows clone3 by one, like all calls of that time on every architecture.
	b.numbers.close, b.numbers.closeRange = syscall.SYS_CLOSE, uintptr(k.Syscall.Clone3)+1
	return b, nil
}

// Exit statuses of the process in between, beside 0 and the errno of PTRACE_SEIZE.
const (
	notMade   = 128 // and the errno of clone
	wasKilled = 255
)

// NoRoomError is the error of Launch when not even the process that watches could be made.
// What refused it would refuse the program's own.
type NoRoomError struct {
	Errno syscall.Errno
	// Ended is how many tasks counted against the limits at that moment and have ended since.
	Ended uint64
}

func (e *NoRoomError) Error() string {
	return fmt.Sprintf("make a process that watches the program: %v", e.Errno)
}

// errKilled is the error of a process that ended before it said whether it may trace.
var errKilled = errors.New("the process that asked for it was killed, as by a seccomp filter")

// start makes the process. When it returns nil the calling thread is traced, and must
// execute its program or end. The caller must hold runtime.LockOSThread.
//
// The process between the two tells by its exit status what became of the third. That
// needs no descriptor, of which there may be none left.
func (b *birth) start() error {
	defer runtime.KeepAlive(b)
	pid, errno := b.fork()
	if errno != 0 {
		return &NoRoomError{Errno: errno}
	}
	// The Go runtime must not know that this thread waits: it would make another one.
	for {
		_, _, errno = syscall.RawSyscall6(b.numbers.wait, pid, uintptr(unsafe.Pointer(&b.status)), 0, 0, 0, 0)
		if errno != syscall.EINTR {
			break
		}
	}
	switch told := syscall.WaitStatus(b.status).ExitStatus(); {
	case errno != 0 || told < 0 || told == wasKilled:
		return fmt.Errorf("%w: PTRACE_SEIZE: %w", ErrForbidden, errKilled)
	case told > notMade:
		return &NoRoomError{Errno: syscall.Errno(told - notMade), Ended: 1} // the process in between
	case told > 0:
		return fmt.Errorf("%w: PTRACE_SEIZE: %w", ErrForbidden, syscall.Errno(told))
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
	switch {
	case errno != 0:
		b.exit(notMade + uintptr(errno))
	case r != 0:
		b.exit(b.hear(r))
	}
	syscall.RawSyscall(b.numbers.setsid, 0, 0, 0)
	s := &b.seize
	if _, _, errno = syscall.RawSyscall6(s[0], s[1], s[2], s[3], s[4], 0, 0); errno != 0 {
		b.exit(uintptr(errno))
	}
	self, _, _ := syscall.RawSyscall(b.numbers.self, 0, 0, 0)
	syscall.RawSyscall(b.numbers.kill, self, uintptr(syscall.SIGSTOP), 0) // until it was heard
	b.closeFrom(3)
	if b.await(eventExec) {
		b.become()
	}
	b.exit(0)
	return 0, 0
}

// exit ends the process.
//
//go:nosplit
//go:norace
func (b *birth) exit(status uintptr) {
	for {
		syscall.RawSyscall(b.numbers.exit, status, 0, 0)
	}
}

// hear waits until the process that will watch stops because it may trace, and lets it go
// on. It returns 0, or the errno that it ended with.
//
//go:nosplit
//go:norace
func (b *birth) hear(pid uintptr) uintptr {
	for {
		_, _, errno := syscall.RawSyscall6(b.numbers.wait, pid, uintptr(unsafe.Pointer(&b.status)), syscall.WUNTRACED, 0, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == 0 && b.status&0xff == stoppedStatus:
			syscall.RawSyscall(b.numbers.kill, pid, uintptr(syscall.SIGCONT), 0)
			return 0
		case errno == 0 && b.status&0x7f == 0 && b.status != 0:
			return uintptr(b.status >> 8 & 0xff)
		default:
			return wasKilled
		}
	}
}

// closeFrom closes all descriptors from one on. They are the program's: somebody may wait
// for the end of a pipe, or for a lock.
//
//go:nosplit
//go:norace
func (b *birth) closeFrom(first uintptr) {
	const all, many = 0xffffffff, 4096
	if _, _, errno := syscall.RawSyscall(b.numbers.closeRange, first, all, 0); errno == 0 {
		return
	}
	for ; first < many; first++ { // before Linux 5.9
		syscall.RawSyscall(b.numbers.close, first, 0, 0)
	}
}

// become executes the watcher. Without room for it the program goes on unwatched, with
// this process as its tracer.
//
//go:nosplit
//go:norace
func (b *birth) become() {
	last := &b.last
	if b.room() {
		e := &b.execute
		syscall.RawSyscall(e[0], e[1], e[2], e[3])
	} else {
		last = &b.cramped
	}
	syscall.RawSyscall(last[0], last[1], last[2], last[3])
	b.closeFrom(0)
	syscall.RawSyscall6(b.numbers.ptrace, syscall.PTRACE_CONT, b.traced, 0, 0, 0, 0)
	b.await(never)
}

// room reports whether as many tasks can be made as the watcher will be. The Go runtime
// would end with the program if not.
//
//go:nosplit
//go:norace
func (b *birth) room() bool {
	made := 0
	for made < len(b.spare) {
		c := &b.clone
		pid, _, errno := syscall.RawSyscall6(c[0], c[1], c[2], c[3], c[4], c[5], c[6])
		if errno != 0 {
			break
		}
		for pid == 0 { // this is a task; it waits for its end
			syscall.RawSyscall6(b.numbers.poll, 0, 0, 0, 0, 0, 0)
		}
		b.spare[made] = pid
		made++
	}
	for i := 0; i < made; i++ {
		syscall.RawSyscall(b.numbers.kill, b.spare[i], uintptr(syscall.SIGKILL), 0)
		syscall.RawSyscall6(b.numbers.wait, b.spare[i], 0, waitAllKinds, 0, 0, 0)
	}
	return made == len(b.spare)
}

// await lets what is traced go on until a thread stops at an event, where it stands then.
// It reports false when nothing is traced any more.
//
//go:nosplit
//go:norace
func (b *birth) await(until uint32) bool {
	for {
		tid, _, errno := syscall.RawSyscall6(b.numbers.wait, ^uintptr(0), uintptr(unsafe.Pointer(&b.status)), waitAllKinds, 0, 0, 0)
		if errno == syscall.EINTR || errno == 0 && b.status&0xff != stoppedStatus {
			continue
		}
		if errno != 0 {
			return false
		}
		event, signal, request := b.status>>16, b.status>>8&0xff, uintptr(syscall.PTRACE_CONT)
		switch {
		case event == until && until != never:
			b.traced = tid
			return true
		case event == eventStop && signal != uint32(syscall.SIGTRAP):
			request, signal = ptraceListen, 0 // its user stopped it
		case event != 0 || signal == uint32(syscall.SIGTRAP|0x80):
			signal = 0
		}
		syscall.RawSyscall6(b.numbers.ptrace, request, tid, 0, uintptr(signal), 0, 0)
	}
}
