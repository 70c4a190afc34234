package watch

import (
	"slices"
	"syscall"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/trace"
)

// Attempt is a call that makes a thread or a process, or that maps memory, at
// its end. Mappings that succeed are not told.
type Attempt struct {
	Call  string // "clone", "clone3" or "mmap"
	PID   int
	TID   int
	Flags uint64 // CLONE_* or MAP_*
	// Length is of a mapping, bytes.
	Length uint64
	// Errno is 0 of a call that succeeded.
	Errno int
	// Raw is what a seccomp filter sees of the call.
	Number      uint64
	Arch        uint32
	Instruction uint64
	Args        [6]uint64
}

// Thread reports whether the call is for a thread, not for a process.
func (a Attempt) Thread() bool { return a.Call != "mmap" && a.Flags&cloneThread != 0 }

// atCall is a thread at the beginning or the end of a system call.
func (t *tracer) atCall(tid int) syscall.Errno {
	info, errno := trace.SyscallInfo(tid)
	if errno != 0 {
		return errno
	}
	switch info.Operation {
	case trace.Entry:
		if t.calls[tid] = t.interesting(tid, info); t.calls[tid] == nil {
			t.written(tid, info)
		}
	case trace.Exit:
		if a := t.calls[tid]; a != nil {
			t.calls[tid] = nil
			t.finished(a, info)
		}
	}
	return 0
}

// written tells what is about to be written to standard error.
func (t *tracer) written(tid int, i *trace.Info) {
	// What a text needs, bytes: of one write no more is read.
	const most = 4096
	args := i.Arguments()
	if i.Arch != t.audit || i.Number() != syscall.SYS_WRITE || args[0] != uint64(syscall.Stderr) {
		return
	}
	p := make([]byte, min(args[2], most))
	if n, err := syscall.PtracePeekData(tid, uintptr(args[1]), p); err == nil {
		t.Observer.Wrote(processOf(tid), p[:n])
	}
}

// Flags of clone (include/uapi/linux/sched.h).
const cloneThread = 0x10000

// interesting makes the record of a call that begins, nil of one that does not
// matter.
func (t *tracer) interesting(tid int, i *trace.Info) *Attempt {
	if i.Arch != t.audit {
		return nil // a program of another architecture: its numbers mean other calls
	}
	a := &Attempt{TID: tid, Number: i.Number(), Arch: i.Arch, Instruction: i.Instruction, Args: i.Arguments()}
	switch number := i.Number(); {
	case number == t.kernel.Syscall.Clone:
		a.Call, a.Flags = "clone", a.Args[slices.Index(t.kernel.CloneOrder[:], abi.CloneFlags)]
	case number == t.kernel.Syscall.Clone3 && number != 0:
		a.Call = "clone3"
		a.Flags, _ = trace.Peek(tid, a.Args[0]) // the first of struct clone_args; 0 where it has no memory
	case number == t.kernel.Syscall.Mmap:
		a.Call = "mmap"
		if args, err := trace.MmapArguments(t.kernel.Table, tid, a.Args); err == nil {
			a.Length, a.Flags = args[1], args[3]
		}
	default:
		return nil
	}
	return a
}

// lastRestart is ERESTART_RESTARTBLOCK (include/linux/errno.h). The kernel shows
// a tracer these numbers where the program sees the call begin again.
const firstRestart, lastRestart = 512, 516

// finished tells an attempt that ended.
func (t *tracer) finished(a *Attempt, i *trace.Info) {
	_, a.Errno = i.Result()
	if a.Errno >= firstRestart && a.Errno <= lastRestart || a.Call == "mmap" && a.Errno == 0 {
		return
	}
	a.PID = processOf(a.TID)
	t.Observer.Attempt(*a, Thread{a.TID})
}
