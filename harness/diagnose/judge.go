package diagnose

import (
	"slices"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/poc/trace"
)

// Judge names the causes of a failure, the most certain first. It is a pure
// function of the evidence.
func Judge(e Evidence) []Cause {
	if c, ok := filtered(e); ok {
		return []Cause{c}
	}
	var causes []Cause
	switch {
	case e.Failure.Want == Memory:
		causes = memory(e)
	case e.Failure.Name == "EAGAIN":
		causes = tasks(e)
	default:
		causes = other(e)
	}
	if e.Failure.Name == "EAGAIN" {
		causes = append(causes, unreadFilters(e)...)
	} else {
		// The kernel itself gives these more rarely than filters do.
		causes = append(unreadFilters(e), causes...)
	}
	slices.SortStableFunc(causes, func(a, b Cause) int { return rank(a) - rank(b) })
	return causes
}

func rank(c Cause) int {
	switch {
	case c.Certainty == Is:
		return 0
	case c.Certainty == Next:
		return 1
	case c.ID == "passing":
		return 3 // what is left when nothing else is
	}
	return 2
}

// filtered is a refusal by a seccomp filter, which is asked before the call is.
func filtered(e Evidence) (Cause, bool) {
	f, answer := e.Failure, e.Filters.Answer
	if !e.Filters.Read {
		return Cause{}, false
	}
	switch action := answer.Action(); {
	case action == trace.Error && answer.Errno() == f.Errno && f.Errno != 0:
		return Cause{
			ID: "seccomp", Certainty: Is, Where: "seccomp",
			Why: say("a seccomp filter of the program answers %[1]s to this very call, before the kernel looks at it; no limit was reached",
				"该程序的 seccomp 过滤器对这一调用直接返回 %[1]s，内核并未执行该调用，也没有达到任何限制", f.Name).and(profile(e.State)),
			Raise: allow(e.State, f.Call),
		}, true
	case action == trace.Ask || action == trace.Stop:
		return Cause{
			ID: "seccomp-supervisor", Certainty: MayBe, Where: "seccomp",
			Why: say("a seccomp filter hands this call to another process, a supervisor or tracer, which may have answered %[1]s",
				"seccomp 过滤器把这一调用交给另一进程（监督者或跟踪者）处理，可能是它返回了 %[1]s", f.Name).and(profile(e.State)),
			Raise: allow(e.State, f.Call),
		}, true
	}
	return Cause{}, false
}

// profile says who installs filters where a container is.
func profile(c census.Census) Text {
	if c.Container == "" {
		return Text{}
	}
	return say("; container runtimes (here %[1]s) install such filters by default", "；容器运行时（此处为 %[1]s）默认安装此类过滤器", c.Container)
}

// unreadFilters is what remains possible where filters cannot be read. The
// kernel itself gives some errors to calls of a thread never or hardly ever.
func unreadFilters(e Evidence) []Cause {
	if e.Filters.Read || !e.State.Seccomp.Mode.AtLeast(census.Known(1)) {
		return nil
	}
	c := Cause{
		ID: "seccomp", Certainty: MayBe, Where: "seccomp",
		Why: say("a seccomp filter of the program (it has %[1]s) may answer %[2]s; whether it does could not be read (%[3]s); as root it can",
			"该程序的 seccomp 过滤器（共 %[1]s 个）可能返回 %[2]s；是否如此无法读取（%[3]s），以 root 运行即可读取",
			e.State.Seccomp.Filters, e.Failure.Name, e.Filters.Problem).and(profile(e.State)),
		Raise: allow(e.State, e.Failure.Call),
	}
	if e.Failure.Name == "ENOSYS" && e.Failure.Call == "clone" {
		c.Certainty = Is
		c.Why = say("the kernel has clone on every architecture, so that ENOSYS is the answer of one of the program's %[1]s seccomp filters",
			"任何架构的内核都有 clone，因此 ENOSYS 来自该程序的 seccomp 过滤器（共 %[1]s 个）", e.State.Seccomp.Filters).and(profile(e.State))
	}
	return []Cause{c}
}

// other judges errors that no count of tasks gives.
func other(e Evidence) []Cause {
	f, s := e.Failure, e.State
	const namespaces = 0x7e020080 // CLONE_NEW* of include/uapi/linux/sched.h
	switch {
	case f.Name == "EINVAL" && f.Want == Thread && s.Namespaces.ChildPIDs:
		return []Cause{{ID: "pid-namespace", Certainty: Is, Where: "pid_for_children",
			Why: say("the thread has called unshare(CLONE_NEWPID) or setns for its children, and may not make threads any more: they would be in another PID namespace than their process",
				"该线程已为其子进程调用 unshare(CLONE_NEWPID) 或 setns，此后不能再创建线程：线程不能与其进程处于不同的 PID 命名空间"),
			Raise: []Remedy{run(say("start the program inside of the namespace instead", "改为在命名空间内启动程序"), "unshare --fork --pid PROGRAM")}}}
	case f.Name == "EINVAL" && s.Namespaces.ChildTime:
		return []Cause{{ID: "time-namespace", Certainty: Is, Where: "time_for_children",
			Why: say("the thread has called unshare(CLONE_NEWTIME): until it starts another program, its children may not share memory with it",
				"该线程已调用 unshare(CLONE_NEWTIME)：在执行新程序之前，其子任务不能与它共享内存"),
			Raise: []Remedy{run(say("start the program inside of the namespace instead", "改为在命名空间内启动程序"), "unshare --fork --time PROGRAM")}}}
	case f.Name == "ENOMEM" && f.Want == Process && s.Namespaces.ChildPIDs:
		return []Cause{{ID: "pid-namespace-dead", Certainty: Is, Where: "pid_for_children",
			Why: say("the PID namespace that the thread's children go to has lost its first process, and takes no others",
				"该线程的子进程所属的 PID 命名空间已失去其首个进程，不再接受新进程"),
			Raise: []Remedy{run(say("keep the first process of the namespace alive", "让命名空间的首个进程保持存活"), "unshare --fork --pid PROGRAM")}}}
	case f.Name == "ENOMEM":
		return kernelMemory(e)
	case f.Name == "ENOSYS" && f.Call == "clone3" && !s.Seccomp.Mode.AtLeast(census.Known(1)):
		return []Cause{{ID: "old-kernel", Certainty: MayBe,
			Why: say("the kernel is older than 5.3, or an emulator runs the program: C libraries then call clone instead",
				"内核早于 5.3，或程序运行在模拟器中：C 库随后会改用 clone")}}
	case f.Name == "EPERM" && f.Flags&namespaces != 0:
		return []Cause{{ID: "namespace-privilege", Certainty: MayBe, Where: "kernel.unprivileged_userns_clone",
			Why: say("the call asks for new namespaces, which needs CAP_SYS_ADMIN, or user namespaces that are allowed to everybody",
				"该调用请求新的命名空间，这需要 CAP_SYS_ADMIN，或系统允许普通用户使用用户命名空间"),
			Raise: []Remedy{run(say("on Debian", "在 Debian 上"), "sysctl -w kernel.unprivileged_userns_clone=1")}}}
	case f.Name == "EINVAL":
		return []Cause{{ID: "flags", Certainty: MayBe,
			Why: say("the kernel does not take this combination of flags (%#[1]x): it is too old for one of them, or they exclude each other",
				"内核不接受这一标志组合（%#[1]x）：内核过旧，或标志互相排斥", f.Flags)}}
	}
	if s.Seccomp.Mode.State == census.Exact && s.Seccomp.Mode.N == 0 || e.Filters.Read {
		return []Cause{{ID: "security-module", Certainty: MayBe, Where: "/sys/kernel/security/lsm",
			Why: say("no seccomp filter answers so and no limit gives %[1]s: a security module refuses new tasks, or the kernel does otherwise than Linux",
				"没有 seccomp 过滤器如此应答，也没有限制会产生 %[1]s：可能是安全模块拒绝创建任务，或该内核的行为与 Linux 不同", f.Name),
			Raise: []Remedy{run(say("to see what it says", "查看其记录"), "dmesg | grep -i -e denied -e audit")}}}
	}
	return nil
}
