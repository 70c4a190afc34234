package watch

import (
	"syscall"

	"github.com/mapstack/conformance/poc/trace"
)

// Observer is told what happens. The thread concerned stands still during the call;
// other threads go on. Calls never overlap.
type Observer interface {
	// Started is called once: before the program runs, or after it was attached to.
	Started(pid int)
	// Attempt is called when a call ends that matters; see Attempt. A program may fail
	// thousands of times in a row, so an observer must be quick with what it has seen
	// before.
	Attempt(a Attempt, t Thread)
	// Died is called for each thread that a signal ends, and for each process that
	// ended. A thread that dies still stands there. A process is gone.
	Died(d Death, t Thread)
	// Unwatched is called when something is not watched, once for each process and
	// reason. Of such a process one may not say that nothing was refused.
	Unwatched(g Gap)
	// Wrote is called with what a process is about to write to its standard error.
	Wrote(pid int, p []byte)
	// Woke is called after a value from Options.Wake.
	Woke()
}

// Thread is a thread that stands still.
type Thread struct {
	tid    int
	own    []trace.Instruction // the filter that the watch gave it; nil if none
	others bool                // it has installed others
}

// Attempt is a call that ended. Of a call that makes a thread or a process, or changes
// what a process is, failure and success are reported. Of a call for memory only
// failure is.
type Attempt struct {
	// Call is the name of the call:
	//   - tasks: clone, clone3, fork, vfork
	//   - programs: execve, execveat
	//   - memory: mmap, mprotect, mremap, brk
	//   - namespaces: unshare, setns
	//   - users: setuid, setreuid, setresuid
	//   - limits: setrlimit, prlimit64; only those that set one
	//   - filters: seccomp, and prctl(PR_SET_SECCOMP) as seccomp too
	Call string
	PID  int
	TID  int
	// ABI is the ABI of the call if it is not that of this machine: "386", "arm" or
	// "x32". Number and Args are those of the ABI then.
	ABI string
	// Flags are CLONE_* of a task or namespace, MAP_* of mmap, MREMAP_* of mremap, and
	// PROT_* of mprotect.
	Flags uint64
	// Unread reports that Flags could not be read: the process is not dumpable, and
	// clone3 has them in memory. After a success Flags has CLONE_THREAD if the call made
	// a thread.
	Unread bool
	// Length is what was asked for, in bytes: the length of mmap and mprotect, and the
	// growth of mremap and brk.
	Length uint64
	// Path is the program of execve and execveat, "" when it could not be read.
	Path string
	// Limit is RLIMIT_* of this machine, and Soft and Hard the new limits, of setrlimit
	// and prlimit64. Target is the process that they are for.
	Limit, Target int
	Soft, Hard    uint64
	// Errno is 0 when the call succeeded. brk tells no error; a failure of it is
	// reported as ENOMEM.
	Errno int
	// Trapped reports that a seccomp filter of the program turned the call into SIGSYS
	// (SECCOMP_RET_TRAP). The kernel did not run the call. Errno is what the program's
	// own handler answered.
	Trapped bool
	// The rest is what a seccomp filter sees of the call.
	Number      uint64
	Arch        uint32
	Instruction uint64
	Args        [6]uint64
}

// cloneThread is CLONE_THREAD (include/uapi/linux/sched.h).
const cloneThread = 0x10000

// Task reports whether the call makes a thread or a process.
func (a Attempt) Task() bool {
	switch a.Call {
	case "clone", "clone3", "fork", "vfork":
		return true
	}
	return false
}

// Thread reports whether the call is for a thread, not for a process.
func (a Attempt) Thread() bool { return a.Task() && a.Flags&cloneThread != 0 }

// Memory reports whether the call is for memory.
func (a Attempt) Memory() bool {
	switch a.Call {
	case "mmap", "mprotect", "mremap", "brk":
		return true
	}
	return false
}

// Death is the end of a thread or of a whole process.
type Death struct {
	PID int
	TID int // 0 for a process
	// Status is how it ended. A signal that ends a process ends each of its threads
	// first, with the same status. A thread that ends alone by a signal was ended by a
	// seccomp filter (SECCOMP_RET_KILL_THREAD).
	Status syscall.WaitStatus
	// Call is the call at which a seccomp filter ended the thread; nil for all others.
	// Its Call is "" for a call that is not in the list of Attempt.
	Call *Attempt
	// Sender is the process that sent the signal with kill(2), 0 if the kernel did or
	// if that was not seen.
	Sender int
}

// Process reports whether the whole process ended.
func (d Death) Process() bool { return d.TID == 0 }

// Reason says why something is not watched.
type Reason string

// Reasons.
const (
	// ForeignABI: the process makes calls of an ABI whose numbers are not known here.
	ForeignABI Reason = "abi"
	// Before: a child that existed before its parent was attached to.
	Before Reason = "before"
	// Left: the process outlives the program, and is no longer watched.
	Left Reason = "left"
	// Kept: the process outlives the program. This process stays as its tracer until
	// it ends, and tells what is refused to it.
	Kept Reason = "kept"
	// Untraced: the process was made by CLONE_UNTRACED.
	Untraced Reason = "untraced"
	// Unreadable: the memory of the process cannot be read, because its user may run and
	// not read its program, or because it is not dumpable. Its words, and the flags of
	// clone3, are not seen.
	Unreadable Reason = "unreadable"
	// SetUser: the process executed a set-user-ID or set-group-ID program, or one with
	// file capabilities. Because it is traced it did not get that user.
	SetUser Reason = "set-user-id"
	// Lost: a stop could not be read. The detail is the error.
	Lost Reason = "lost"
	// Tracer: the process wanted to trace a thread itself, as a debugger or
	// LeakSanitizer does. It could not, because a thread has one tracer.
	Tracer Reason = "tracer"
)

// Gap is something that is not watched, or that is not as it would be without a watch.
type Gap struct {
	PID    int
	Reason Reason
	// Detail is the ABI, or the path of a program; "" if there is nothing to add.
	Detail string
}
