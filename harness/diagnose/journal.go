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

// patience is how long a refusal may stay without a later success before it is
// told: the Go runtime tries for 210 ms. A program that hangs never ends.
const patience = 2 * time.Second

// journal keeps what a watch tells, and takes the census when a call fails.
type journal struct {
	root   fs.FS
	kernel abi.Table
	alarm  *time.Timer
	// report is called once, with a refusal that nothing followed for so long.
	report func()

	pid    int
	before census.Census
	met    map[int]bool // processes that have made a thread
	words  fatal.Reader
	spoken int // the process whose words were read last
	// open are the refusals that no success has followed, by process.
	open      map[place]*Evidence
	last      *Evidence // the latest of open tasks
	mapping   *Evidence // the latest refused mapping
	recovered *Evidence // the latest that a success followed
}

// place is what a success recovers.
type place struct {
	pid  int
	want Want
}

func newJournal(root fs.FS, kernel abi.Table, report func()) *journal {
	alarm := time.NewTimer(patience)
	alarm.Stop()
	return &journal{root: root, kernel: kernel, alarm: alarm, report: report, open: map[place]*Evidence{}, met: map[int]bool{}}
}

// Started takes the census that refusals are compared with.
func (j *journal) Started(pid int) {
	j.pid = pid
	// A program that has ended already refuses nothing.
	j.before, _ = census.Take(j.root, pid, pid)
}

// Woke is some time after a refusal, or after the program's last words: some
// programs hang after them.
func (j *journal) Woke() {
	if j.refused() != nil {
		j.report()
	}
}

func (j *journal) Wrote(pid int, p []byte) {
	_, had := j.words.Last()
	_, _ = j.words.Write(p)
	if _, has := j.words.Last(); has && !had {
		j.spoken = pid
		if j.last == nil {
			// Nothing was seen to fail. The program is still there: it has more to
			// write.
			if e := j.heard(); e != nil {
				j.last, j.open[place{pid, Thread}] = e, e
			}
		}
		j.alarm.Reset(patience)
	}
}

func (j *journal) Attempt(a watch.Attempt, t watch.Thread) {
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

// meet adds the control groups of a process that begins to make threads to what
// refusals are compared with: a launcher may have moved it after the start.
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
	case a.Call == "mmap":
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

// toTell is the refusal that a report is about. Where the program got everything
// in the end, that is the latest EAGAIN: it was close to a limit.
func (j *journal) toTell() *Evidence {
	if e := j.refused(); e != nil {
		return e
	}
	if j.recovered != nil && j.recovered.Failure.Name == "EAGAIN" {
		return j.recovered
	}
	return nil
}

// refused is what to tell of: the latest refusal that mattered, nil when none
// did. Programs survive mappings that are refused, unless they say otherwise.
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

// killed is a memory group that killed since the program began, when it ended so.
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
