package diagnose

import (
	"slices"
	"syscall"

	"github.com/mapstack/conformance/harness/diagnose/census"
)

// reportOf makes the report of what the journal has so far.
func (d *session) reportOf(status syscall.WaitStatus, ended bool) Report {
	r := Report{Schema: Schema, Program: programOf(d.journal.pid, d.command, status, ended), Verdict: "fine", Needs: d.needs}
	if words, spoke := d.journal.words.Last(); spoke {
		r.Said = &words
	}
	d.conclude(&r, status)
	if ended {
		for i, c := range r.Causes {
			r.Causes[i].Raise = slices.DeleteFunc(c.Raise, func(r Remedy) bool { return r.running })
		}
	}
	if r.Verdict != "fine" {
		r.See = tools(d.Installed, d.journal.pid, d.command)
	}
	r.explain(d.hangs)
	return r
}

// conclude finds the verdict and its causes: by a call that was refused, by the
// group that killed the program, by the program's own words, or by its limits.
func (d *session) conclude(r *Report, status syscall.WaitStatus) {
	j := d.journal
	if e := j.toTell(); e != nil {
		r.Failure, r.State, r.Causes, r.Verdict = &e.Failure, &e.State, Judge(*e), "refused"
		if e.Failure.Recovered {
			r.Verdict = "recovered"
		}
		return
	}
	if group, oom := j.killed(status); oom {
		r.Verdict, r.State, r.Causes = "refused", &j.before, []Cause{memoryGroup(j.before, group, Is)}
		return
	}
	if c, ok := spoken(*r, status); ok {
		r.Verdict, r.Causes = "refused", []Cause{c}
		return
	}
	if len(d.needs) > 0 {
		r.Verdict, r.State, r.Causes = "unknown", &j.before, usedUp(j.before)
	}
}

// usedUp names the limits that would refuse the next thread.
func usedUp(state census.Census) []Cause {
	var list []Cause
	for _, c := range tasks(Evidence{State: state, Failure: Failure{Want: Thread}}) {
		if c.Certainty != MayBe {
			c.Certainty = Next
			list = append(list, c)
		}
	}
	return list
}
