package diagnose

import "github.com/mapstack/conformance/harness/diagnose/census"

// unexplained names what can give EAGAIN although no limit that can be read is used
// up.
func unexplained(e Evidence) (causes []Cause) {
	causes = append(nprocUnseen(e), unseen(e)...)
	hidden := len(unseen(e)) > 0 || e.State.User.Exempt == "" && e.State.User.Tasks.State != census.Exact
	if e.Failure.Flags&intoCgroup != 0 {
		hidden = true
		causes = append(causes, Cause{ID: "into-cgroup", Certainty: MayBe, Where: "pids.max",
			Why: say("the call puts the new process into another control group (CLONE_INTO_CGROUP), which may be full", "该调用把新进程放入另一个控制组（CLONE_INTO_CGROUP），该组可能已满")})
	}
	switch {
	case hidden:
		return causes
	case e.Failure.Want == Execution:
		return append(causes, Cause{ID: "passing", Certainty: MayBe,
			Why: say("the user had too many tasks for a moment only", "该用户的任务数只是瞬间过多")})
	case e.Failure.Attempts == 0:
		return append(causes, Cause{ID: "passing", Certainty: MayBe,
			Why: say("limits were read only after the program had said so, and some of its threads may have ended by then (the machine now has %[1]s of %[2]s tasks)",
				"各项限制在程序输出之后才读取，此时它的部分线程可能已结束（整机现有 %[1]s 个任务，上限 %[2]s）", e.State.Tasks.Count, e.State.Tasks.Max)})
	}
	return append(causes, Cause{ID: "passing", Certainty: MayBe,
		Why: say("a limit was reached for a moment only: no limit that can be read is used up (the machine has %[1]s of %[2]s tasks). Or another thread of the program was in execve at that moment",
			"某个限制只是瞬间达到，可读取的限制均未用尽（整机现有 %[1]s 个任务，上限 %[2]s）；也可能当时程序的另一线程正在执行 execve", e.State.Tasks.Count, e.State.Tasks.Max)})
}

// nprocUnseen judges RLIMIT_NPROC where not all tasks that count can be seen, or where it
// is nearly used up.
func nprocUnseen(e Evidence) []Cause {
	s := e.State
	if s.PID == 0 || s.User.Exempt != "" || s.User.Processes.Soft.State != census.Exact {
		return nil
	}
	c := nproc(e)
	c.Certainty = MayBe
	near := s.User.Processes.Soft.N <= 2*s.User.Tasks.N
	switch {
	case s.User.Tasks.State != census.Exact:
		c.Why = c.Why.and(say("; how many it has cannot be seen from here (%[1]s)", "；从这里看不到实际数量（%[1]s）", s.Unknown["userTasks"]))
	case !s.Namespaces.InitialUsers && !before514(s.Kernel) && !near:
		return nil // the limit that its namespace keeps counts
	case !s.Namespaces.InitialPIDs:
		c.Why = c.Why.and(say("; tasks of the same user in other containers count too, and are not seen here",
			"；同一用户在其他容器中的任务也计入，而从这里看不到"))
	case e.Failure.Attempts != 0 && !near:
		return nil
	}
	return []Cause{c}
}
