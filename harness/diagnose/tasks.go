package diagnose

import (
	"strings"

	"github.com/mapstack/conformance/harness/diagnose/census"
)

// tasks judges EAGAIN. The order is that of the kernel (copy_process in
// kernel/fork.c): of several limits that are used up, the first one refuses.
func tasks(e Evidence) []Cause {
	var full []Cause
	limits := []func(Evidence) (Cause, bool){userTasks, allTasks, deadline, numbers, group}
	if e.Failure.Want == Execution {
		limits = limits[:1] // execve makes no task
	}
	for _, judge := range limits {
		if c, ok := judge(e); ok {
			full = append(full, c)
		}
	}
	if len(full) == 0 {
		return unexplained(e)
	}
	// A control group that counted a refusal shows that the call passed all checks
	// before it.
	for i, c := range full {
		if c.ID == "cgroup-pids" && grown(e) != nil {
			copy(full[1:i+1], full[:i])
			full[0] = c
		}
	}
	for i := range full {
		full[i].Certainty = Next
	}
	full[0].Certainty = Is
	return full
}

// userTasks judges RLIMIT_NPROC.
func userTasks(e Evidence) (Cause, bool) {
	s := e.State
	if s.User.Exempt != "" || !s.User.Tasks.AtLeast(s.User.Processes.Soft) {
		return Cause{}, false
	}
	return nproc(e), true
}

// nproc makes the cause of RLIMIT_NPROC.
func nproc(e Evidence) Cause {
	s := e.State
	c := Cause{
		ID: "rlimit-nproc", Limit: s.User.Processes.Soft, Used: s.User.Tasks, Where: "RLIMIT_NPROC",
		Why: say("RLIMIT_NPROC lets user %[1]d have %[2]s tasks (hard limit: %[3]s), and from here %[4]s can be seen; every thread of every program of that user counts",
			"RLIMIT_NPROC 只允许用户 %[1]d 拥有 %[2]s 个任务（硬限制为 %[3]s），从这里可以看到该用户已有 %[4]s 个；该用户所有程序的每个线程都计入",
			s.User.ID, s.User.Processes.Soft, s.User.Processes.Hard, s.User.Tasks).and(e.setter(e.Rlimit.NProc, s.User.Processes.Soft)).and(afterChange(e)).and(ours(s, s.Observer.User == s.User.ID, s.User.Tasks, s.User.Processes.Soft)),
		Raise: raiseProcesses(s),
	}
	return buried(s, c, func(d census.Dead) bool { return d.User == s.User.ID })
}

// afterChange says why execve looks at the limit.
func afterChange(e Evidence) Text {
	if e.Failure.Want != Execution {
		return Text{}
	}
	return say("; the program became this user before, which is allowed, and execve then refuses", "；程序此前切换到该用户时是允许的，随后 execve 才拒绝")
}

// ours says how many of the tasks are mapstack's own.
func ours(s census.Census, count bool, used, limit census.Amount) Text {
	own := s.Observer.Tasks
	if !count || own.State != census.Exact || used.State != census.Exact {
		return Text{}
	}
	t := say("; %[1]s of them are mapstack's own", "；其中 %[1]s 个属于 mapstack 自身", own)
	if limit.State == census.Exact && used.N-min(own.N, used.N) < limit.N {
		t = t.and(say(", and without mapstack there was room for as many", "，没有 mapstack 时还有相应的余量"))
	}
	return t
}

// allTasks judges kernel.threads-max.
func allTasks(e Evidence) (Cause, bool) {
	s := e.State
	if !s.Tasks.Count.AtLeast(s.Tasks.Max) {
		return Cause{}, false
	}
	return Cause{
		ID: "threads-max", Limit: s.Tasks.Max, Used: s.Tasks.Count, Where: "/proc/sys/kernel/threads-max",
		Why: say("the machine may have %[1]s tasks (kernel.threads-max) and has %[2]s, of all users and containers together; this holds for root too",
			"整台机器最多允许 %[1]s 个任务（kernel.threads-max），现有 %[2]s 个，包括所有用户和容器；对 root 同样有效", s.Tasks.Max, s.Tasks.Count),
		Raise: []Remedy{sysctl("kernel.threads-max", double(s.Tasks.Count.N))},
	}, true
}

// deadline judges the scheduling policy SCHED_DEADLINE (sched_fork in
// kernel/sched/core.c).
func deadline(e Evidence) (Cause, bool) {
	s := e.State
	if s.Policy != census.Known(census.Deadline) {
		return Cause{}, false
	}
	return Cause{
		ID: "sched-deadline", Where: "SCHED_DEADLINE",
		Why: say("thread %[1]d has the scheduling policy SCHED_DEADLINE; such a thread may not make tasks, not even as root",
			"线程 %[1]d 的调度策略是 SCHED_DEADLINE，不能创建其他任务，root 也不例外", s.TID),
		Raise: []Remedy{
			run(say("sets SCHED_FLAG_RESET_ON_FORK: new tasks then begin with the ordinary policy", "设置 SCHED_FLAG_RESET_ON_FORK：新任务将以普通策略开始"),
				"chrt --reset-on-fork --deadline --sched-runtime NS --sched-deadline NS --sched-period NS --pid 0 %d", s.TID),
		},
	}, true
}

// numbers judges kernel.pid_max.
func numbers(e Evidence) (Cause, bool) {
	s := e.State
	if s.Tasks.PIDMax.N < census.Reserved || !s.Tasks.IDs.AtLeast(census.Known(s.Tasks.PIDMax.N-census.Reserved)) || s.Tasks.PIDMax.State != census.Exact {
		return Cause{}, false
	}
	return Cause{
		ID: "pid-max", Limit: s.Tasks.PIDMax, Used: s.Tasks.IDs, Where: "/proc/sys/kernel/pid_max",
		Why: say("all task numbers below kernel.pid_max (%[1]s) are taken: %[2]s from %[3]d upwards",
			"kernel.pid_max（%[1]s）以下的任务编号已用尽：从 %[3]d 起已占用 %[2]s 个", s.Tasks.PIDMax, s.Tasks.IDs, census.Reserved),
		Raise: []Remedy{sysctl("kernel.pid_max", 4<<20)}, // PID_MAX_LIMIT of 64-bit machines
	}, true
}

// group judges control groups. One that is full refuses. One that counted a refusal
// did too, even if tasks have ended since.
func group(e Evidence) (Cause, bool) {
	for i, g := range e.State.Groups.Pids {
		if g.Current.AtLeast(g.Max) {
			return pids(e, i), true
		}
	}
	g := grown(e)
	for i, limited := range e.State.Groups.Pids {
		// Old kernels count in the program's own group. The limit may be in one above.
		if g != nil && limited.Max.State == census.Exact {
			return pids(e, i), true
		}
	}
	return Cause{}, false
}

// grown returns a group that counted refusals since the program began.
func grown(e Evidence) *census.PidsGroup {
	for _, now := range e.State.Groups.Pids {
		for _, was := range e.Before.Groups.Pids {
			if was.Path == now.Path && now.Refused.AtLeast(census.Known(was.Refused.N+1)) && was.Refused.State == census.Exact {
				return &now
			}
		}
	}
	return nil
}

// pids makes the cause of a control group.
func pids(e Evidence, at int) Cause {
	s, g := e.State, e.State.Groups.Pids[at]
	here := s.Observer.Group == g.Path || strings.HasPrefix(s.Observer.Group, g.Path+"/")
	c := Cause{
		ID: "cgroup-pids", Limit: g.Max, Used: g.Current, Where: g.MaxFile(),
		Why: say("the control group %[1]s may have %[2]s tasks and has %[3]s, with those of the groups below it; this holds for root too",
			"控制组 %[1]s 最多允许 %[2]s 个任务，现有 %[3]s 个（含其下各组）；对 root 同样有效", g.Path, g.Max, g.Current).and(runtimeSets(s, g.Path)).and(ours(s, here, g.Current, g.Max)),
		Raise: raisePids(s, at),
	}
	return buried(s, c, func(d census.Dead) bool { return d.Below(g.Path) })
}

// runtimeSets says that the container runtime sets the limit of a group.
func runtimeSets(s census.Census, group string) Text {
	if !ofContainer(s, group) {
		return Text{}
	}
	return say("; the container runtime (%[1]s) sets it", "；由容器运行时（%[1]s）设置", s.Container)
}
