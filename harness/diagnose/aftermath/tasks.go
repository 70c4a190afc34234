package aftermath

import (
	"slices"

	"github.com/mapstack/conformance/harness/diagnose/census"
)

// near reports whether at least half of a limit is used, and used up whether all is.
func near(used, limit census.Amount) bool {
	return used.State == census.Exact && limit.State == census.Exact && used.N >= limit.N/2
}

func pidsGroup(w Word, log Log, f *Facts) Cause {
	c := Cause{ID: "cgroup-pids",
		Why: say("a control group (container, service, session) was full: pids.max counts every thread of everything in it, root's too",
			"控制组（容器、服务或会话）已满：pids.max 计入其中所有程序的每个线程，root 也不例外"),
		Cure: say("raise it where it is set: systemctl set-property UNIT TasksMax=N; docker update --pids-limit N CONTAINER; podPidsLimit of the kubelet",
			"在设置它的地方提高：systemctl set-property UNIT TasksMax=N；docker update --pids-limit N CONTAINER；kubelet 的 podPidsLimit")}
	for _, k := range log.Words {
		if k.Kind == FullGroup {
			c.Likelihood = Certain
			c.because(say("line %[1]d: the kernel's log names the group %[2]s", "第 %[1]d 行：内核日志指出控制组 %[2]s", k.Line, shown(k.Group)))
		}
	}
	if f == nil {
		return c
	}
	for _, g := range f.Full {
		if g.Current.AtLeast(g.Max) {
			c.because(say("the group %[1]s is full now: %[2]s of %[3]s", "控制组 %[1]s 现已用满：%[2]s / %[3]s", shown(g.Path), g.Current, g.Max))
		} else {
			c.because(say("the group %[1]s has refused a task since it was made, times: %[2]s (it has %[3]s of %[4]s now)",
				"控制组 %[1]s 自创建以来曾拒绝任务，次数：%[2]s（现有 %[3]s / %[4]s）", shown(g.Path), g.Refused, g.Current, g.Max))
		}
	}
	for _, k := range slices.Backward(f.Kernel) {
		if k.Kind == FullGroup {
			c.because(say("the kernel's log of the host names the group %[1]s", "主机的内核日志指出控制组 %[1]s", shown(k.Group)))
		}
	}
	if len(c.For) == 0 && f.Groups > 0 && !f.State.Groups.Hidden {
		c.although(say("no group that is there now has refused a task (groups looked at: %[1]d); one that was removed cannot be asked",
			"现有的控制组都没有拒绝过任务（已检查 %[1]d 个）；已删除的控制组无从查起", f.Groups))
	}
	return c
}

func userTasks(w Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "rlimit-nproc",
		Why: say("RLIMIT_NPROC (ulimit -u): every thread of every program of the same user counts, in other containers too",
			"RLIMIT_NPROC（ulimit -u）：同一用户所有程序的每个线程都计入，包括其他容器中的"),
		Cure: say("raise it where the program is started: LimitNPROC= of the unit, docker run --ulimit nproc=N, nproc in /etc/security/limits.conf",
			"在启动程序的地方提高：单元的 LimitNPROC=、docker run --ulimit nproc=N、/etc/security/limits.conf 中的 nproc")}
	if f == nil {
		return c
	}
	u := f.State.User
	switch soft := u.Processes.Soft; {
	case soft.State == census.Unlimited:
		c.Likelihood = Possible // a service has limits of its own
		c.although(say("it is unlimited for programs that are started like this", "以这种方式启动的程序没有该限制"))
	case u.Exempt == "" && u.Tasks.AtLeast(soft):
		c.because(say("user %[1]d has used it up now: %[2]s of %[3]s", "用户 %[1]d 现已用尽：%[2]s / %[3]s", u.ID, u.Tasks, soft))
	case u.Exempt == "" && near(u.Tasks, soft):
		c.because(say("user %[1]d has %[2]s of %[3]s tasks now", "用户 %[1]d 现有 %[2]s / %[3]s 个任务", u.ID, u.Tasks, soft))
	case w.Have > 0 && soft.State == census.Exact && w.Have >= soft.N/2:
		c.because(say("the program had %[1]d threads, and the limit is %[2]s", "程序当时已有 %[1]d 个线程，而该限制为 %[2]s", w.Have, soft))
	case u.Exempt != "":
		c.Likelihood = Possible
		c.although(say("it does not hold for %[1]s; the program may have run as another user", "该限制对 %[1]s 无效；程序可能以其他用户身份运行", shown(u.Exempt)))
	}
	return c
}

func allTasks(_ Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "threads-max", Why: say("the machine may have no more tasks (kernel.threads-max)", "整机的任务数已达上限（kernel.threads-max）"),
		Cure: say("sysctl -w kernel.threads-max=N", "sysctl -w kernel.threads-max=N")}
	return whole(c, f, func(s census.Census) (used, most census.Amount) { return s.Tasks.Count, s.Tasks.Max })
}

func numbers(_ Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "pid-max", Why: say("no number of a task was left (kernel.pid_max)", "任务编号已用尽（kernel.pid_max）"),
		Cure: say("sysctl -w kernel.pid_max=4194304", "sysctl -w kernel.pid_max=4194304")}
	return whole(c, f, func(s census.Census) (used, most census.Amount) { return s.Tasks.Count, s.Tasks.PIDMax })
}

// whole weighs a limit of the whole machine by how much of it is used.
func whole(c Cause, f *Facts, of func(census.Census) (used, most census.Amount)) Cause {
	if f == nil {
		return c
	}
	switch used, most := of(f.State); {
	case near(used, most):
		c.because(say("%[1]s of %[2]s are used now", "现已使用 %[1]s / %[2]s", used, most))
	case used.State == census.Exact && most.State == census.Exact:
		c.although(say("only %[1]s of %[2]s are used now", "现仅使用 %[1]s / %[2]s", used, most))
	}
	return c
}

func maxThreads(w Word, _ Log, _ *Facts) Cause {
	return Cause{ID: "go-max-threads", Likelihood: Certain, Why: say("the Go runtime's own limit of threads, %[1]d, was reached; the kernel refused nothing. Many threads waited in system calls or in C",
		"达到 Go 运行时自身的线程数限制 %[1]d；内核没有拒绝任何请求。许多线程阻塞在系统调用或 C 代码中", w.Have),
		Cure: say("find what blocks; runtime/debug.SetMaxThreads raises the limit", "找出阻塞的原因；runtime/debug.SetMaxThreads 可提高该限制")}
}
