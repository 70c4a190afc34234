package diagnose

import (
	"slices"
	"syscall"

	"github.com/mapstack/conformance/harness/diagnose/fatal"
	"github.com/mapstack/conformance/harness/diagnose/watch"
)

// wrong is one thing that went wrong and was never put right: one of its fields.
type wrong struct {
	refusal *Evidence
	death   *Death
	saying  *saying
}

func (w *wrong) order() int {
	switch {
	case w.refusal != nil:
		return w.refusal.order
	case w.death != nil:
		return w.death.order
	}
	return w.saying.order
}

// wrong returns the last thing that went wrong and was never put right, nil when there
// is none. What came before it the program has survived.
func (j *journal) wrong() *wrong {
	var all []*wrong
	for _, e := range j.refusals {
		if e.grave() && !e.Failure.Recovered {
			all = append(all, &wrong{refusal: e})
		}
	}
	for _, d := range j.deaths {
		all = append(all, &wrong{death: d})
	}
	for _, s := range j.sayings {
		all = append(all, &wrong{saying: s})
	}
	if len(all) == 0 {
		return nil
	}
	return slices.MaxFunc(all, func(a, b *wrong) int { return a.order() - b.order() })
}

// suspect returns the refusal that may have ended a program which has failed: the last
// one that it came past with a later success, or that programs often survive. Of the
// latter the end must be near.
func (j *journal) suspect() *Evidence {
	var found *Evidence
	for _, e := range j.refusals {
		survived := e.Failure.Recovered && e.Failure.Name == "EAGAIN"
		near := !e.Failure.Recovered && j.now().Sub(e.seen) <= patience
		if (survived || near) && (found == nil || found.order < e.order) {
			found = e
		}
	}
	return found
}

// survived returns the latest refusal that a later success made up for, or that the
// program did without; nil when there is none. A limit is near then.
func (j *journal) survived() *Evidence {
	for _, e := range slices.Backward(j.refusals) {
		if e.Failure.Recovered && e.Failure.Name == "EAGAIN" || e.Failure.Want == Process && !e.grave() {
			return e
		}
	}
	return nil
}

// blind reports whether something was not watched.
func blind(gaps []Gap) bool {
	return slices.ContainsFunc(gaps, func(g Gap) bool {
		return slices.Contains([]watch.Reason{watch.ForeignABI, watch.Before, watch.Left, watch.Untraced, watch.Lost}, g.Reason)
	})
}

// failed reports whether a program ended as one that failed. A signal by which its
// user, or a service manager, ends a program is no failure; nor is the exit status that
// stands for it.
func failed(status syscall.WaitStatus) bool {
	asked := func(s syscall.Signal) bool {
		return slices.Contains([]syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE, syscall.SIGKILL}, s)
	}
	if status.Signaled() {
		return !asked(status.Signal())
	}
	code := status.ExitStatus()
	return code != 0 && !(code > 128 && asked(syscall.Signal(code-128)))
}

// reportOf makes the report of what the journal has so far.
func (d *session) reportOf(status syscall.WaitStatus, ended bool) Report {
	j := d.journal
	r := Report{Schema: Schema, Program: programOf(j.pid, d.command, status, ended), Verdict: "fine", Needs: d.needs, Gaps: j.gaps}
	d.conclude(&r, status, ended)
	if r.Said == nil {
		r.quote(j.sayings)
	}
	r.Others = j.others(r)
	if ended {
		for i, c := range r.Causes {
			r.Causes[i].Raise = slices.DeleteFunc(c.Raise, func(r Remedy) bool { return r.running })
		}
	}
	if r.Verdict != "fine" {
		r.See = tools(d.Installed, j.pid, d.command)
	}
	r.explain(d.hangs, clientOf(d.command))
	return r
}

// conclude finds the verdict and its causes.
func (d *session) conclude(r *Report, status syscall.WaitStatus, ended bool) {
	j := d.journal
	w := j.wrong()
	switch {
	case w != nil && w.refusal != nil:
		r.refused(w.refusal)
	case w != nil && w.death != nil:
		r.died(w.death)
	case w != nil:
		d.said(r, w.saying)
	case ended && failed(status) && j.suspect() != nil:
		r.refused(j.suspect())
		r.Suspected = true
	case j.survived() != nil:
		r.refused(j.survived())
		r.Verdict = "recovered"
	case len(d.needs) > 0:
		r.Verdict, r.State, r.Causes = "unknown", &j.before, usedUp(j.before)
	case !ended:
		d.standing(r)
	}
}

// refused tells a refused call.
func (r *Report) refused(e *Evidence) {
	r.Verdict, r.Failure, r.State, r.Causes = "refused", &e.Failure, &e.State, Judge(*e)
}

// quote adds what the refused process said of it.
func (r *Report) quote(sayings []*saying) {
	for _, s := range sayings {
		if r.Failure != nil && s.pid == r.Failure.PID {
			r.Said = &s.Text
		}
	}
}

// died tells a death.
func (r *Report) died(d *Death) {
	r.Verdict, r.Death, r.State, r.Causes = "refused", d, &d.state, []Cause{d.cause()}
}

// said tells words, with the call that they are about.
func (d *session) said(r *Report, s *saying) {
	r.Said = &s.Text
	if e := d.journal.match(s); e != nil {
		r.refused(e)
		return
	}
	if d.journal.elsewhere(s) {
		r.Verdict, r.State, r.Causes = "refused", &s.heard.State, []Cause{elsewhere(s)}
		return
	}
	switch s.Kind {
	case fatal.Thread, fatal.CgoThread:
		r.refused(s.heard)
	default:
		r.Verdict, r.State, r.Causes = "refused", &s.heard.State, []Cause{spoken(s)}
	}
}

// others lists what else went wrong, in its order.
func (j *journal) others(r Report) (list []Other) {
	type ordered struct {
		Other
		order int
	}
	var all []ordered
	for _, e := range j.refusals {
		if r.Failure != &e.Failure {
			all = append(all, ordered{Other{Failure: &e.Failure}, e.order})
		}
	}
	for _, d := range j.deaths {
		if r.Death != d {
			all = append(all, ordered{Other{Death: d}, d.order})
		}
	}
	slices.SortFunc(all, func(a, b ordered) int { return a.order - b.order })
	for _, o := range all {
		list = append(list, o.Other)
	}
	return list
}
