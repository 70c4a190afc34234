package watch

import (
	"slices"
	"syscall"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/trace"
)

// atCall handles a thread that stopped where a system call begins or ends.
func (t *tracer) atCall(tid int) error {
	info, err := t.shown.At(tid)
	if err != nil {
		return err
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
	return nil
}

// written reports what a thread is about to write to standard error.
func (t *tracer) written(tid int, i *trace.Info) {
	// Bytes that are read of one write: more than any text of the Go runtime has.
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

// interesting makes the record of a call that begins. It returns nil for a call that
// does not matter.
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
		var err error
		a.Flags, err = trace.Peek(tid, a.Args[0]) // the first field of struct clone_args
		a.Unread = err != nil
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

// ERESTARTSYS to ERESTART_RESTARTBLOCK (include/linux/errno.h). A tracer sees these
// numbers when the kernel is about to begin the call again.
const firstRestart, lastRestart = 512, 516

// finished reports a call that ended.
func (t *tracer) finished(a *Attempt, i *trace.Info) {
	_, a.Errno = i.Result()
	if a.Errno >= firstRestart && a.Errno <= lastRestart || a.Call == "mmap" && a.Errno == 0 {
		return
	}
	a.PID = processOf(a.TID)
	t.Observer.Attempt(*a, Thread{a.TID})
}
