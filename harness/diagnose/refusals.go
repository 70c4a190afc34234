package diagnose

import (
	"slices"

	"github.com/mapstack/conformance/harness/diagnose/watch"
)

// Flags of clone and unshare (include/uapi/linux/sched.h).
const (
	shareMemory   = 0x100       // CLONE_VM
	wantPIDFD     = 0x1000      // CLONE_PIDFD
	newUsers      = 0x10000000  // CLONE_NEWUSER
	intoCgroup    = 0x200000000 // CLONE_INTO_CGROUP
	newNamespaces = 0x7e020080  // all of CLONE_NEW*
)

// wanted says what a call was for. It is "" for calls that nobody can be refused for
// want of anything.
func wanted(a watch.Attempt) Want {
	switch {
	case a.Memory():
		return Memory
	case a.Task() && a.Unread:
		return Task
	case a.Thread():
		return Thread
	case a.Task():
		return Process
	}
	return map[string]Want{
		"execve": Execution, "execveat": Execution, "unshare": Namespace, "setns": Namespace,
		"setuid": User, "setreuid": User, "setresuid": User,
	}[a.Call]
}

// leastCloneArgs is CLONE_ARGS_SIZE_VER0 (include/uapi/linux/sched.h). A program that
// gives a smaller size asks only whether the kernel knows clone3.
const leastCloneArgs = 64

// matters reports whether a failed call may have been refused for want of something.
// Programs look for files and free addresses by calls that fail.
func (j *journal) matters(a watch.Attempt, want Want) bool {
	name := j.kernel.ErrnoName(a.Errno)
	switch want {
	case Thread, Process, Task:
		return name != "EFAULT" && (a.Call != "clone3" || a.Args[1] >= leastCloneArgs)
	case Execution:
		return a.Trapped || slices.Contains([]string{"EAGAIN", "ENOMEM", "EPERM", "ENFILE"}, name)
	case Memory:
		return j.memoryMatters(a, name)
	case Namespace:
		return true
	case User:
		return name == "EAGAIN"
	}
	return false
}

func (j *journal) memoryMatters(a watch.Attempt, errno string) bool {
	anonymous := a.Call == "mmap" && a.Flags&j.kernel.Map.Anonymous != 0
	switch errno {
	case "ENOMEM", "EAGAIN":
		return true
	case "EEXIST":
		return false // MAP_FIXED_NOREPLACE: the place is taken
	case "EPERM", "EACCES":
		return anonymous
	}
	return anonymous && a.Flags&j.kernel.Map.Stack != 0
}

// placeOf returns where a later success makes up for a refusal. A stack is for a
// thread.
func (j *journal) placeOf(a watch.Attempt, want Want) place {
	switch {
	case want == Task, want == Memory && a.Call == "mmap" && a.Flags&j.kernel.Map.Stack != 0:
		want = Thread
	}
	return place{a.PID, want}
}

// stack reports whether a mapping was for the stack of a thread.
func (e *Evidence) stack() bool {
	return e.Failure.Call == "mmap" && e.Map.Stack != 0 && e.Failure.Flags&e.Map.Stack != 0
}

// grave reports whether a program can hardly do without what was refused. Others are
// told if the program fails soon after.
func (e *Evidence) grave() bool {
	f := e.Failure
	switch f.Want {
	case Thread, Process, Task:
		// C libraries go on with clone, and sandboxes without namespaces.
		return (f.Call != "clone3" || f.Name != "ENOSYS") && f.Flags&newNamespaces == 0
	case Memory:
		return e.stack()
	case Execution:
		return f.Name == "EAGAIN" || f.Name == "ENOMEM"
	}
	return false
}
