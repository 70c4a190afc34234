package diagnose

import "github.com/mapstack/conformance/harness/diagnose/census"

// other judges errors that no limit on the number of tasks gives.
func other(e Evidence) []Cause {
	if c, ok := otherNamespace(e); ok {
		return []Cause{c}
	}
	f, s := e.Failure, e.State
	const namespaces = 0x7e020080 // CLONE_NEW* of include/uapi/linux/sched.h
	switch {
	case f.Name == "ENOMEM":
		return kernelMemory(e)
	case f.Name == "ENOSYS" && f.Call == "clone3" && !s.Seccomp.Mode.AtLeast(census.Known(1)):
		return []Cause{{ID: "old-kernel", Certainty: MayBe,
			Why: say("the kernel is older than 5.3, or an emulator runs the program; C libraries call clone in that case",
				"内核早于 5.3，或程序运行在模拟器中：此时 C 库会改用 clone")}}
	case f.Name == "EPERM" && f.Flags&namespaces != 0:
		return []Cause{{ID: "namespace-privilege", Certainty: MayBe, Where: "kernel.unprivileged_userns_clone",
			Why: say("the call asks for new namespaces; this needs CAP_SYS_ADMIN, or a system that allows user namespaces to ordinary users",
				"该调用请求新的命名空间，这需要 CAP_SYS_ADMIN，或系统允许普通用户使用用户命名空间"),
			Raise: []Remedy{run(say("on Debian", "在 Debian 上"), "sysctl -w kernel.unprivileged_userns_clone=1")}}}
	case f.Name == "EINVAL":
		return []Cause{{ID: "flags", Certainty: MayBe,
			Why: say("the kernel does not accept this combination of flags (%#[1]x): it is too old for one of them, or two of them exclude each other",
				"内核不接受这一标志组合（%#[1]x）：内核过旧，不支持其中的标志，或标志互相排斥", f.Flags)}}
	}
	if s.Seccomp.Mode.State == census.Exact && s.Seccomp.Mode.N == 0 || e.Filters.Read {
		return []Cause{{ID: "security-module", Certainty: MayBe, Where: "/sys/kernel/security/lsm",
			Why: say("no seccomp filter answers %[1]s and no limit gives it: a security module refuses new tasks, or this kernel differs from Linux",
				"没有 seccomp 过滤器返回 %[1]s，也没有限制会产生该错误：可能是安全模块拒绝创建任务，或该内核的行为与 Linux 不同", f.name()),
			Raise: []Remedy{run(say("to see what it says", "查看其记录"), "dmesg | grep -i -e denied -e audit")}}}
	}
	return nil
}

// otherNamespace judges a call of a thread whose children go to another namespace than
// its own (copy_process in kernel/fork.c, alloc_pid in kernel/pid.c).
func otherNamespace(e Evidence) (Cause, bool) {
	f, in := e.Failure, e.State.Namespaces
	switch {
	case f.Name == "EINVAL" && f.Want == Thread && in.ChildPIDs:
		return Cause{ID: "pid-namespace", Certainty: Is, Where: "pid_for_children",
			Why: say("the thread has called unshare(CLONE_NEWPID) or setns for its children, and may not make threads any more: they would be in another PID namespace than their process",
				"该线程已为其子进程调用 unshare(CLONE_NEWPID) 或 setns，此后不能再创建线程：线程不能与其进程处于不同的 PID 命名空间"),
			Raise: []Remedy{run(say("start the program inside of the namespace instead", "改为在命名空间内启动程序"), "unshare --fork --pid PROGRAM")}}, true
	case f.Name == "EINVAL" && in.ChildTime:
		return Cause{ID: "time-namespace", Certainty: Is, Where: "time_for_children",
			Why: say("the thread has called unshare(CLONE_NEWTIME): until it starts another program, its children may not share memory with it",
				"该线程已调用 unshare(CLONE_NEWTIME)：在执行新程序之前，其子任务不能与它共享内存"),
			Raise: []Remedy{run(say("start the program inside of the namespace instead", "改为在命名空间内启动程序"), "unshare --fork --time PROGRAM")}}, true
	case f.Name == "ENOMEM" && f.Want == Process && in.ChildPIDs:
		return Cause{ID: "pid-namespace-dead", Certainty: Is, Where: "pid_for_children",
			Why: say("the PID namespace that the thread's children go to has lost its first process, and takes no others",
				"该线程的子进程所属的 PID 命名空间已失去其首个进程，不再接受新进程"),
			Raise: []Remedy{run(say("keep the first process of the namespace alive", "让命名空间的首个进程保持存活"), "unshare --fork --pid PROGRAM")}}, true
	}
	return Cause{}, false
}
