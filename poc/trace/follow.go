package trace

import (
	"errors"
	"fmt"
	"syscall"
)

// Kind is the reason for which a followed thread stopped.
type Kind int

const (
	Began     Kind = iota // the thread is new and has done nothing
	Called                // entry or end of a system call
	Filtered              // a seccomp filter stopped a call before the kernel did any of it
	Executed              // it executed another program
	Cloned                // in the middle of a call that makes a thread or a process
	Signalled             // a signal is pending, which the thread gets when it continues
	Ended                 // the thread is gone
)

// Halt is one stop of a thread.
type Halt struct {
	Thread int
	Kind   Kind
	Signal syscall.Signal // that is pending, if it is Signalled
}

// Way is the ptrace request by which a thread continues.
type Way int

const (
	Run       Way = syscall.PTRACE_CONT    // only a filter stops its calls
	RunToCall Way = syscall.PTRACE_SYSCALL // stops at the next entry or end of a call
	// Unsignalled is added if the thread must not get the pending signal.
	Unsignalled Way = 1 << 16
)

// waitAll is __WALL: wait4 returns threads too.
const waitAll = 0x40000000

// Events of include/uapi/linux/ptrace.h.
const (
	eventExec    = 4
	eventSeccomp = 7
)

// Follow runs a program that was started with SysProcAttr.Ptrace, with its threads
// and, depending on options, its children. It ends when the first process ends, and
// returns that process's status. At each stop handle decides how the thread
// continues; for a thread that ended the result is ignored.
//
// A stopped thread may be killed at any time, so ESRCH is not a failure. There is
// no time limit: the caller must kill what it follows. With OptionExitKill
// everything ends with the tracer.
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
			_, err = handle(Halt{Thread: tid, Kind: Ended})
		} else {
			err = pass(tid, status, known, options, tid == pid, handle)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			return 0, fmt.Errorf("thread %d: %w", tid, err)
		}
	}
}

// pass handles one stop and continues the thread.
func pass(tid int, status syscall.WaitStatus, known map[int]bool, options int, first bool, handle func(Halt) (Way, error)) error {
	kind, signal := kindOf(status)
	if !known[tid] {
		known[tid] = true
		if first {
			if err := syscall.PtraceSetOptions(tid, options); err != nil {
				return fmt.Errorf("PTRACE_SETOPTIONS: %w", err)
			}
		}
		if first || status.StopSignal() == syscall.SIGSTOP { // a traced thread begins with this stop
			kind, signal = Began, 0
		}
	}
	way, err := handle(Halt{tid, kind, signal})
	if err != nil {
		return err
	}
	if way&Unsignalled != 0 {
		way, signal = way&^Unsignalled, 0
	}
	if _, errno := Ptrace(uintptr(way), uintptr(tid), 0, uintptr(signal)); errno != 0 {
		return fmt.Errorf("let it go on: %w", errno)
	}
	return nil
}

// kindOf returns the kind of a stop of a known thread, and its pending signal.
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
