package diagnose

import (
	"encoding/binary"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/fatal"
	"github.com/mapstack/conformance/harness/diagnose/filter"
	"github.com/mapstack/conformance/harness/diagnose/watch"
)

// heard makes evidence from the program's own words alone. It returns nil when they
// are not about a thread.
func (j *journal) heard() *Evidence {
	t, ok := j.words.Last()
	if !ok || t.Kind != fatal.Thread && t.Kind != fatal.CgoThread {
		return nil
	}
	e := &Evidence{Before: j.before, MapStack: j.kernel.Map.Stack, Failure: Failure{
		Call: "clone", Want: Thread, Errno: t.Errno, Name: j.kernel.ErrnoName(t.Errno), PID: j.spoken, TID: j.spoken}}
	if t.Kind == fatal.CgoThread && t.Errno == 0 {
		e.Failure.Name = nameOf(t.Reason)
		e.Failure.Errno = j.kernel.Errno(e.Failure.Name)
	}
	var err error
	if e.State, err = census.Take(j.root, j.spoken, j.spoken); err != nil {
		e.State = j.before // it has ended already
	}
	e.Filters = Filters{Problem: "the call was not seen"}
	return e
}

// nameOf returns the name of the error whose message glibc or musl prints, "" for
// other messages.
func nameOf(message string) string {
	for _, m := range []struct{ message, name string }{
		{"Resource temporarily unavailable", "EAGAIN"},
		{"Cannot allocate memory", "ENOMEM"},
		{"Out of memory", "ENOMEM"},
		{"Operation not permitted", "EPERM"},
		{"Invalid argument", "EINVAL"},
		{"Function not implemented", "ENOSYS"},
	} {
		if m.message == message {
			return m.name
		}
	}
	return ""
}

// evidence takes the census for a call that failed.
func (j *journal) evidence(a watch.Attempt, want Want) *Evidence {
	e := &Evidence{Before: j.before, MapStack: j.kernel.Map.Stack, Failure: Failure{
		Call: a.Call, Want: want, Flags: a.Flags, Length: a.Length,
		Errno: a.Errno, Name: j.kernel.ErrnoName(a.Errno), PID: a.PID, TID: a.TID,
	}}
	var err error
	if e.State, err = census.Take(j.root, a.PID, a.TID); err != nil {
		// The thread was killed since. The limits of the machine are the same.
		e.State = j.before
	}
	return e
}

// ask runs the seccomp filters of the thread on the call.
func (j *journal) ask(a watch.Attempt, t watch.Thread) Filters {
	filters, err := t.Filters()
	if err != nil {
		return Filters{Problem: err.Error()}
	}
	answer, err := filter.Decide(filters, filter.Call{
		Number: uint32(a.Number), Arch: a.Arch, Instruction: a.Instruction, Args: a.Args,
	}, binary.NativeEndian)
	if err != nil {
		return Filters{Problem: err.Error()}
	}
	return Filters{Read: true, Answer: answer}
}
