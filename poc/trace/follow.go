package trace

import (
	"errors"
	"fmt"
	"syscall"
)

// Kind is why a thread that is followed stopped.
type Kind int

const (
	Began     Kind = iota // it is new and has done nothing
	Called                // at the entry or the end of a system call
	Filtered              // at a call that a seccomp filter stopped; nothing of it was done yet
	Executed              // it became another program
	Cloned                // in the middle of a call that makes a thread or a process
	Signalled             // a signal is due, which it gets when it goes on
	Ended                 // it is no more
)

// Halt is one stop of a thread.
type Halt struct {
	Thread int
	Kind   Kind
}

// Way is how a thread goes on: the request that lets it.
type Way int

const (
	Run       Way = syscall.PTRACE_CONT    // calls do not stop it, unless a filter does
	RunToCall Way = syscall.PTRACE_SYSCALL // to the entry or the end of a call
)

// waitAll is __WALL: wait4 for threads too.
const waitAll = 0x40000000

// Events of include/uapi/linux/ptrace.h.
const (
	eventExec    = 4
	eventSeccomp = 7
)

// Follow runs a program that was started with SysProcAttr.Ptrace, its threads
// and, by options, its children, to the end of its first process, and returns how
// that ended. At each stop handle says how the thread goes on; what it says of one
// that ended does not matter. A thread may be killed while it stands, so that
// ESRCH is no failure. There is no time limit: whoever calls it kills what is
// followed. With option OptionExitKill everything ends with the tracer.
//
// The caller must hold runtime.LockOSThread, have started the program on this
// thread, and have no other children.
func Follow(pid, options int, handle func(Halt) (Way, error)) (syscall.WaitStatus, error) {
	known := map[int]bool{}
	for {
		var status syscall.WaitStatus
		tid, err := syscall.Wait4(-1, &status, waitAll, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return 0, fmt.Errorf("wait for what is traced: %w", err)
		}
		if !status.Stopped() {
			if tid == pid {
				return status, nil
			}
			delete(known, tid)
			_, err = handle(Halt{tid, Ended})
		} else {
			err = pass(tid, status, known, options, tid == pid, handle)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			return 0, fmt.Errorf("thread %d: %w", tid, err)
		}
	}
}

// pass handles one stop and lets the thread go on.
func pass(tid int, status syscall.WaitStatus, known map[int]bool, options int, first bool, handle func(Halt) (Way, error)) error {
	kind, signal := kindOf(status)
	if !known[tid] {
		known[tid] = true
		if first {
			if err := syscall.PtraceSetOptions(tid, options); err != nil {
				return fmt.Errorf("PTRACE_SETOPTIONS: %w", err)
			}
		}
		if first || status.StopSignal() == syscall.SIGSTOP { // how a traced thread begins
			kind, signal = Began, 0
		}
	}
	way, err := handle(Halt{tid, kind})
	if err != nil {
		return err
	}
	if _, errno := Ptrace(uintptr(way), uintptr(tid), 0, uintptr(signal)); errno != 0 {
		return fmt.Errorf("let it go on: %w", errno)
	}
	return nil
}

// kindOf tells the kinds of stops of a thread that is known, and the signal that
// is due.
func kindOf(status syscall.WaitStatus) (Kind, syscall.Signal) {
	switch event := uint32(status) >> 16; {
	case event == eventSeccomp:
		return Filtered, 0
	case event == eventExec:
		return Executed, 0
	case event != 0:
		return Cloned, 0
	case status.StopSignal() == syscall.SIGTRAP|AtSyscall:
		return Called, 0
	}
	return Signalled, status.StopSignal()
}
