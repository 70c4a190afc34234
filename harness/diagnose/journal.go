package diagnose

import (
	"io/fs"
	"slices"
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

// journal keeps what goes wrong, in its order, and takes the census when a call
// fails. It implements watch.Observer.
type journal struct {
	root   fs.FS
	kernel abi.Table
	now    func() time.Time
	alarm  *time.Timer
	// report is called when no success followed a refusal within patience.
	report func()
	// log returns the kernel's log, "" where it cannot be read.
	log func() string
	// heardOnly reports that the calls of the program are not watched.
	heardOnly bool
	// launched reports that the program was started here, and not attached to.
	launched bool

	pid       int
	before    census.Census
	baseline  baseline
	censuses  map[kind]*pace
	readers   map[int]*fatal.Reader
	installer []int // processes that installed seccomp filters
	clean     bool  // the watch gave the program its first filter
	setters   []Setter
	kept      map[int]census.Amount // RLIMIT_NPROC of processes that made a user namespace

	order    int
	refusals []*Evidence
	deaths   []*Death
	asked    int // the process whose death by SIGKILL was looked at last
	sayings  []*saying
	gaps     []Gap
}

// place is where a success makes up for a refusal.
type place struct {
	pid  int
	want Want
}

// kind is one kind of refusal, for which one census may serve many.
type kind struct {
	call  string
	errno int
}

func newJournal(root fs.FS, kernel abi.Table, report func()) *journal {
	alarm := time.NewTimer(patience)
	alarm.Stop()
	return &journal{root: root, kernel: kernel, now: time.Now, alarm: alarm, report: report, log: func() string { return "" },
		censuses: map[kind]*pace{}, readers: map[int]*fatal.Reader{}, kept: map[int]census.Amount{}}
}

// next numbers what goes wrong.
func (j *journal) next() int {
	j.order++
	return j.order
}

// Started takes the census that later ones are compared with.
func (j *journal) Started(pid int) {
	j.pid = pid
	// Without a census the program has ended already, or /proc is not there.
	j.before, _ = census.Take(j.root, pid, pid)
	j.baseline.add(j.before.Groups)
	if j.standsStill() {
		j.alarm.Reset(patience)
	}
}

// standsStill reports that the whole program stood still when it was attached to.
func (j *journal) standsStill() bool {
	_, is := still(j.before)
	return is && !j.launched
}

// Woke is called patience after something went wrong: some programs hang then.
func (j *journal) Woke() {
	if j.wrong() != nil || j.standsStill() {
		j.report()
	}
}

// maxGaps bounds how many gaps of one reason are kept.
const maxGaps = 32

// Unwatched notes what is not watched.
func (j *journal) Unwatched(g watch.Gap) {
	alike := 0
	for _, known := range j.gaps {
		if known.Reason == g.Reason {
			alike++
		}
	}
	if alike < maxGaps {
		j.gaps = append(j.gaps, Gap(g))
	}
}

// maxRefusals bounds how many refusals are kept; the oldest are forgotten first.
const maxRefusals = 64

// Attempt records a call that succeeded or failed.
func (j *journal) Attempt(a watch.Attempt, t watch.Thread) {
	want := wanted(a)
	if a.Errno == 0 {
		j.succeeded(a, want)
		return
	}
	if !j.matters(a, want) {
		return
	}
	at := j.placeOf(a, want)
	e := j.again(a, at)
	if e == nil {
		e = j.evidence(a, want)
		e.at, e.first = at, j.next()
		e.Filters = j.ask(a, t)
		j.refusals = append(j.refusals, e)
		if len(j.refusals) > maxRefusals {
			j.refusals = append([]*Evidence{}, j.refusals[1:]...)
		}
	}
	e.Failure.Attempts++
	e.order, e.seen = j.next(), j.now()
	if e.grave() {
		j.alarm.Reset(patience)
	}
}

// again returns the refusal that a call repeats, nil for the first one of its kind. Of
// memory each may ask for another amount, and meet another state.
func (j *journal) again(a watch.Attempt, at place) *Evidence {
	for _, e := range slices.Backward(j.refusals) {
		f := e.Failure
		if e.at != at || f.Call != a.Call || f.Errno != a.Errno || f.Recovered {
			continue
		}
		if f.Want == Memory {
			e.Failure.Length, e.Failure.Reserve, e.Failure.Flags = a.Length, j.reserves(a), a.Flags
			if state, err := j.state(a); err == nil {
				e.State, e.Problem = state, nil
				j.complete(e)
			}
		}
		return e
	}
	return nil
}

// succeeded notes what a call that succeeded makes up for, and what it changes.
func (j *journal) succeeded(a watch.Attempt, want Want) {
	switch {
	case a.Call == "setrlimit" || a.Call == "prlimit64":
		j.set(a)
	case a.Call == "seccomp":
		if len(j.installer) <= 1 { // of more than one it is not known whose answers
			j.installer = append(j.installer, a.PID)
		}
	case want == Namespace && a.Flags&newUsers != 0:
		j.keep(a)
	case want == Execution || want == Thread:
		j.baseline.meet(j.root, a)
	}
	at := j.placeOf(a, want)
	for _, e := range j.refusals {
		if e.at == at {
			e.Failure.Recovered = true
		}
	}
}

// keep notes the RLIMIT_NPROC that the kernel keeps for a new user namespace.
func (j *journal) keep(a watch.Attempt) {
	const most = 1024
	if c, err := census.Take(j.root, a.PID, a.TID); err == nil && len(j.kept) < most {
		j.kept[a.PID] = c.User.Processes.Soft
	}
}
