package diagnose

import (
	"slices"
	"syscall"

	"github.com/mapstack/conformance/harness/diagnose/fatal"
)

// reportOf makes the report of what the journal has so far.
func (d *session) reportOf(status syscall.WaitStatus, ended bool) Report {
	j := d.journal
	r := Report{Schema: Schema, Program: programOf(j.pid, d.command, status, ended), Verdict: "fine", Needs: d.needs, Gaps: j.gaps}
	if d.unstarted {
		r.Program.State = "unstarted"
	}
	d.conclude(&r, status, ended)
	if r.Said == nil {
		r.quote(j.sayings)
	}
	r.Others = j.others(r)
	if ended || d.unstarted {
		for i, c := range r.Causes {
			r.Causes[i].Raise = slices.DeleteFunc(c.Raise, func(r Remedy) bool { return r.running })
		}
	}
	if r.Verdict != "fine" {
		r.See = tools(d.Installed, j.pid, d.command)
	}
	r.explain(d.hangs, clientOf(d.file()))
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
