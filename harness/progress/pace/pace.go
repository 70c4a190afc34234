// Package pace tells how far a run is, and how long the rest of it takes. It knows that from
// how long the probes took in earlier runs, and from how fast this one goes.
package pace

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mapstack/conformance/harness/progress"
)

// Run watches the events of a run. It is safe for concurrent use.
type Run struct {
	next progress.Sink
	now  func() time.Time

	mu       sync.Mutex
	past     Past
	cores    int
	cells    int
	ended    int
	waiting  map[string]map[string]bool // probes that have not ended, by cell
	begun    map[work]time.Time         // probes that run
	first    time.Time                  // when the first of them began
	done     float64                    // seconds that the probes which ended were expected to take
	measured Past
	said     progress.Event
}

// work is a probe on a cell.
type work struct{ cell, probe string }

// New returns a run without a plan. It passes every event on, and says nothing itself.
func New(next progress.Sink) *Run {
	return &Run{next: next, now: time.Now, waiting: map[string]map[string]bool{}, begun: map[work]time.Time{}, measured: Past{}}
}

// Plan says which probes will run, by cell, on how many cores, and how long they took before.
func (r *Run) Plan(probes map[string][]string, cores int, past Past) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cells, r.cores, r.past = len(probes), max(1, cores), past
	for cell, names := range probes {
		r.waiting[cell] = map[string]bool{}
		for _, name := range names {
			r.waiting[cell][name] = true
		}
	}
	r.say()
}

// Sink passes an event on. If the event moves the run, an event of the stage Whole follows.
func (r *Run) Sink(e progress.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next(e)
	if r.waiting[e.Cell] == nil {
		return // no cell of the plan, or one that has ended
	}
	switch {
	case e.Stage == progress.Finished:
		for probe := range r.waiting[e.Cell] {
			delete(r.begun, work{e.Cell, probe})
		}
		delete(r.waiting, e.Cell)
		r.ended++
	case e.Stage == progress.Probe && e.End:
		r.end(work{e.Cell, e.What}, e.Err == nil)
	case e.Stage == progress.Probe:
		r.begun[work{e.Cell, e.What}] = r.now()
		if r.first.IsZero() {
			r.first = r.now()
		}
	default:
		return
	}
	r.say()
}

// end notes that a probe ended. One that failed does not tell how long a probe takes.
func (r *Run) end(w work, well bool) {
	began, ran := r.begun[w]
	delete(r.begun, w)
	if s := r.now().Sub(began).Seconds(); ran && well && s > 0 {
		if r.measured[w.cell] == nil {
			r.measured[w.cell] = map[string]float64{}
		}
		r.measured[w.cell][w.probe] = s
	}
	if s, known := r.takes(w); known && r.waiting[w.cell][w.probe] {
		r.done += s
	}
	delete(r.waiting[w.cell], w.probe)
}

// takes returns how long a probe is expected to take, in seconds.
func (r *Run) takes(w work) (float64, bool) {
	if s, known := r.past.of(w.cell, w.probe); known {
		return s, true
	}
	return r.measured.of(w.cell, w.probe)
}

// say sends how far the run is, if that has changed. The caller holds the lock, so that these
// events are in order.
func (r *Run) say() {
	e := progress.Event{Stage: progress.Whole, Done: int64(r.ended), Total: int64(r.cells), End: r.ended == r.cells}
	left, known := r.left()
	if known = known && !e.End; known {
		e.What = about(left) + " left"
	}
	if e != r.said {
		r.said = e
		if known {
			e.Left = left // which changes all the time
		}
		r.next(e)
	}
}

// settling is how many seconds a run must last before its own speed counts as much as the
// one that the cores of the host promise.
const settling = 60

// left returns how many seconds the rest of the run takes. It returns false if too little is
// known of the probes that are left.
func (r *Run) left() (float64, bool) {
	rest, longest, done := 0.0, 0.0, r.done
	known, unknown := 0, 0
	now := r.now()
	for cell, probes := range r.waiting {
		for probe := range probes {
			w := work{cell, probe}
			s, told := r.takes(w)
			if !told {
				unknown++
				continue
			}
			known++
			if began, runs := r.begun[w]; runs {
				spent := min(s, now.Sub(began).Seconds())
				done += spent
				s -= spent
			}
			rest += s
			longest = max(longest, s)
		}
	}
	if unknown > known {
		return 0, false
	}
	spent := 0.0 // downloads before the first probe say nothing of how fast probes run
	if !r.first.IsZero() {
		spent = now.Sub(r.first).Seconds()
	}
	speed := (done + settling*float64(r.cores)) / (spent + settling)
	return max(rest/speed, longest), true
}

// about rounds seconds to what a reader needs.
func about(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return "less than 10 s"
	case d < 90*time.Second:
		return fmt.Sprintf("about %d s", d.Round(10*time.Second)/time.Second)
	case d < 90*time.Minute:
		return fmt.Sprintf("about %d min", d.Round(time.Minute)/time.Minute)
	}
	d = d.Round(10 * time.Minute)
	return fmt.Sprintf("about %d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

// pause is the time between two looks at the clock while nothing happens.
const pause = 5 * time.Second

// Keep lets the time left go down also while no event comes: a probe may take minutes. It
// returns when ctx ends.
func (r *Run) Keep(ctx context.Context) {
	ticks := time.NewTicker(pause)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			r.mu.Lock()
			if len(r.waiting) > 0 {
				r.say()
			}
			r.mu.Unlock()
		}
	}
}

// Measured returns how long the probes of this run took.
func (r *Run) Measured() Past {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.measured.bounded(nil)
}
