package diagnose

import "github.com/mapstack/conformance/harness/diagnose/census"

// standing judges a program that still runs, and was refused nothing while it was
// watched: it may stand still, or a limit may be used up.
func (d *session) standing(r *Report) {
	now, err := census.Take(d.journal.root, d.journal.pid, d.journal.pid)
	if err != nil {
		return
	}
	if c, ok := still(now); ok {
		r.Verdict, r.State, r.Causes = "unknown", &now, []Cause{c}
		return
	}
	if causes := usedUp(now); len(causes) > 0 {
		r.Verdict, r.State, r.Causes = "exhausted", &now, causes
	}
}

// usedUp names the limits that would refuse the next thread.
func usedUp(state census.Census) []Cause {
	if state.PID == 0 {
		return nil
	}
	var list []Cause
	for _, c := range tasks(Evidence{State: state, Before: state, Failure: Failure{Want: Thread}}) {
		if c.Certainty != MayBe {
			c.Certainty = Next
			list = append(list, c)
		}
	}
	return list
}

// still finds what makes a whole program stand still.
func still(s census.Census) (Cause, bool) {
	switch {
	case s.Groups.Frozen != "":
		return Cause{ID: "frozen", Certainty: Is, Where: s.Groups.Frozen,
			Why:   say("the control group %[1]s is frozen: no task in it runs, and none of them is refused anything", "控制组 %[1]s 已被冻结：其中的任务都不运行，也没有请求被拒绝", s.Groups.Frozen),
			Raise: thaw(s)}, true
	case s.Thread.State == "T":
		return Cause{ID: "stopped", Certainty: Is, Where: "SIGSTOP",
			Why:   say("process %[1]d (%[2]s) was stopped by a signal, and stands still", "进程 %[1]d（%[2]s）被信号停止", s.PID, s.Name),
			Raise: []Remedy{run(now(), "kill -CONT %d", s.PID)}}, true
	}
	return Cause{}, false
}
