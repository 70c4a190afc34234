package diagnose

import (
	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/fatal"
)

// saying is a text of a runtime that ends a program, or that one passes on.
type saying struct {
	fatal.Text
	pid   int
	order int
	// heard is made from the words and the state of that moment: the program may be
	// gone when they are judged.
	heard *Evidence
}

const (
	// maxReaders bounds how many programs are read at the same time.
	maxReaders = 1024
	// maxSayings bounds how many texts are kept.
	maxSayings = 64
)

// Wrote reads the words of a program.
func (j *journal) Wrote(pid int, p []byte) {
	r := j.readers[pid]
	if r == nil {
		if len(j.readers) >= maxReaders {
			clear(j.readers)
		}
		r = &fatal.Reader{}
		j.readers[pid] = r
	}
	_, _ = r.Write(p)
	for _, t := range r.Take() {
		if len(j.sayings) >= maxSayings {
			return
		}
		// The program is still there, because it has more to write.
		j.sayings = append(j.sayings, &saying{Text: t, pid: pid, order: j.next(), heard: j.heard(pid, t)})
		j.alarm.Reset(patience)
	}
}

// heard makes evidence from the words alone.
func (j *journal) heard(pid int, t fatal.Text) *Evidence {
	e := j.blank(Failure{Call: "clone", Want: Thread, Errno: t.Errno, Name: j.kernel.ErrnoName(t.Errno), PID: pid, TID: pid})
	if t.Kind == fatal.CgoThread && t.Errno == 0 {
		e.Failure.Name = errnoNamed(t.Reason)
		e.Failure.Errno = j.kernel.Errno(e.Failure.Name)
	}
	e.State, e.Problem = census.Take(j.root, pid, pid)
	j.complete(e)
	e.Filters = Filters{Problem: "the call was not seen"}
	return e
}

// errnoNamed returns the name of the error whose message glibc or musl prints, "" for
// other messages.
func errnoNamed(message string) string {
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

// match finds the refused call that the words are about: of the same process, or of
// another one whose words this one passes on.
func (j *journal) match(s *saying) *Evidence {
	var found *Evidence
	for _, e := range j.refusals {
		same := e.Failure.PID == s.pid
		if e.first > s.order || !s.about(e) || found != nil && found.Failure.PID == s.pid && !same {
			continue
		}
		found = e
	}
	return found
}

// about reports whether a refusal can have been the reason for the words. A C library
// says EAGAIN for a thread whose stack was refused.
func (s *saying) about(e *Evidence) bool {
	f := e.Failure
	task := f.Want == Thread || f.Want == Task
	switch s.Kind {
	case fatal.Thread:
		return task && f.Errno == s.Errno
	case fatal.CgoThread:
		return task && f.Errno == s.heard.Failure.Errno || f.Want == Memory && s.heard.Failure.Name == "EAGAIN"
	case fatal.Memory, fatal.LockedMemory, fatal.Denied:
		return f.Want == Memory
	}
	return false
}

// elsewhere reports that the words are those of a program that is not watched here,
// such as one in a container whose client passes them on: every call of the programs
// here is watched, and none was refused.
func (j *journal) elsewhere(s *saying) bool {
	if s.Kind == fatal.TooManyThreads {
		threads := s.heard.State.Threads
		return s.heard.Problem == nil && threads.State == census.Exact && 2*threads.N < s.Have
	}
	return !j.heardOnly && !blind(j.gaps) && (s.Kind == fatal.Thread || s.Kind == fatal.CgoThread)
}
