package diagnose

import (
	"io/fs"
	"slices"
	"syscall"
	"time"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/fatal"
	"github.com/mapstack/conformance/harness/diagnose/watch"
	"github.com/mapstack/conformance/poc/abi"
)

// patience is how long a refusal waits for a later success before it is reported.
// The Go runtime tries for 210 ms. A program that hangs would never be reported at
// its end.
const patience = 2 * time.Second

// journal records what happens to the program, and takes the census when a call
// fails. It implements watch.Observer.
type journal struct {
	root   fs.FS
	kernel abi.Table
	alarm  *time.Timer
	// report is called when no success followed a refusal within patience.
	report func()

	pid    int
	before census.Census
	met    map[int]bool // processes that have made a thread
	words  fatal.Reader
	spoken int // the process that wrote words
	// open are the refusals that no success has followed yet.
	open      map[place]*Evidence
	last      *Evidence // the latest refusal in open
	mapping   *Evidence // the latest refused mapping
	recovered *Evidence // the latest refusal that a success followed
}

// place is where a success makes up for a refusal.
type place struct {
	pid  int
	want Want
}

func newJournal(root fs.FS, kernel abi.Table, report func()) *journal {
	alarm := time.NewTimer(patience)
	alarm.Stop()
	return &journal{root: root, kernel: kernel, alarm: alarm, report: report, open: map[place]*Evidence{}, met: map[int]bool{}}
}

// Started takes the census that later ones are compared with.
func (j *journal) Started(pid int) {
	j.pid = pid
	// Without a census the program has ended already: there will be no refusal.
	j.before, _ = census.Take(j.root, pid, pid)
}

// Woke is called patience after a refusal, or after the words of the program: some
// programs hang then.
func (j *journal) Woke() {
	if j.refused() != nil {
		j.report()
	}
}

// Wrote reads the words of the program. The first text of the Go runtime counts.
func (j *journal) Wrote(pid int, p []byte) {
	_, had := j.words.Last()
	_, _ = j.words.Write(p)
	if _, has := j.words.Last(); has && !had {
		j.spoken = pid
		if j.last == nil {
			// No call was seen to fail. The program is still there, because it has
			// more to write.
			if e := j.heard(); e != nil {
				j.last, j.open[place{pid, Thread}] = e, e
			}
		}
		j.alarm.Reset(patience)
	}
}

// Died is not yet judged.
func (j *journal) Died(watch.Death, watch.Thread) {}

// Unwatched is not yet told.
func (j *journal) Unwatched(watch.Gap) {}

// Attempt records a call that succeeded or failed.
func (j *journal) Attempt(a watch.Attempt, t watch.Thread) {
	if !a.Task() && !a.Memory() {
		return
	}
	want := wanted(a)
	at := place{a.PID, want}
	if a.Errno == 0 {
		j.recover(at)
		if want == Thread && !j.met[a.PID] {
			j.met[a.PID] = true
			j.meet(a)
		}
		return
	}
	e := j.open[at]
	if e == nil || e.Failure.Errno != a.Errno || e.Failure.Call != a.Call {
		e = j.evidence(a, want)
		e.Filters = j.ask(a, t)
		if want != Memory {
			j.open[at] = e
		}
	}
	e.Failure.Attempts++
	if want == Memory {
		j.mapping = e
		return
	}
	j.last = e
	j.alarm.Reset(patience)
}

// meet takes the control groups of a process that makes its first thread, for later
// comparison: a launcher may have moved the process to them after its start.
func (j *journal) meet(a watch.Attempt) {
	c, err := census.Take(j.root, a.PID, a.TID)
	if err != nil {
		return // it has ended
	}
	for _, g := range c.Groups.Pids {
		if !slices.ContainsFunc(j.before.Groups.Pids, func(b census.PidsGroup) bool { return b.Path == g.Path }) {
			j.before.Groups.Pids = append(j.before.Groups.Pids, g)
		}
	}
	for _, g := range c.Groups.Memory {
		if !slices.ContainsFunc(j.before.Groups.Memory, func(b census.MemoryGroup) bool { return b.Path == g.Path }) {
			j.before.Groups.Memory = append(j.before.Groups.Memory, g)
		}
	}
}

func wanted(a watch.Attempt) Want {
	switch {
	case a.Memory():
		return Memory
	case a.Thread():
		return Thread
	}
	return Process
}

// recover notes that a process got what it had been refused.
func (j *journal) recover(at place) {
	e := j.open[at]
	if e == nil {
		return
	}
	e.Failure.Recovered = true
	delete(j.open, at)
	j.recovered = e
	if j.last == e {
		j.last = nil
	}
}

// toTell returns the refusal that a report is about, nil when there is none. When
// every call succeeded in the end, it is the latest EAGAIN, which shows that a limit
// is near.
func (j *journal) toTell() *Evidence {
	if e := j.refused(); e != nil {
		return e
	}
	if j.recovered != nil && j.recovered.Failure.Name == "EAGAIN" {
		return j.recovered
	}
	return nil
}

// refused returns the latest refusal that mattered, nil when none did. Programs
// survive a refused mapping, unless it was for a stack or their words say otherwise.
func (j *journal) refused() *Evidence {
	words, spoke := j.words.Last()
	memory := spoke && (words.Kind == fatal.Memory || words.Kind == fatal.LockedMemory || words.Kind == fatal.Denied)
	forStack := j.mapping != nil && j.mapping.Failure.Flags&j.kernel.Map.Stack != 0
	switch {
	case j.last != nil && j.last.Failure.Attempts > 0:
		return j.last
	case j.mapping != nil && (memory || forStack):
		return j.mapping
	case j.last != nil:
		return j.last
	}
	return nil
}

// killed returns the memory group that killed a process since the program began, if
// the program ended by SIGKILL.
func (j *journal) killed(status syscall.WaitStatus) (census.MemoryGroup, bool) {
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		return census.MemoryGroup{}, false
	}
	for _, was := range j.before.Groups.Memory {
		g, ok := was.Again(j.root)
		if ok && g.Max.State == census.Exact && was.Killed.State == census.Exact && g.Killed.AtLeast(census.Known(was.Killed.N+1)) {
			return g, true
		}
	}
	return census.MemoryGroup{}, false
}
