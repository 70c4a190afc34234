package diagnose

import (
	"slices"
	"syscall"
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
