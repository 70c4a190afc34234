package pace

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/progress"
)

// watched is a run with a clock of its own, and what it said of the whole.
type watched struct {
	*Run
	clock time.Time
	said  []string
	all   []progress.Event
}

func watch(probes map[string][]string, cores int, past Past) *watched {
	w := &watched{clock: time.Unix(1e9, 0)}
	w.Run = New(func(e progress.Event) {
		w.all = append(w.all, e)
		if e.Stage == progress.Whole {
			w.said = append(w.said, e.What)
		}
	})
	w.now = func() time.Time { return w.clock }
	w.Plan(probes, cores, past)
	return w
}

// probe lets a probe take some seconds.
func (w *watched) probe(cell, name string, seconds float64, err error) {
	w.Sink(progress.Event{Cell: cell, Stage: progress.Probe, What: name})
	w.clock = w.clock.Add(time.Duration(seconds * float64(time.Second)))
	w.Sink(progress.Event{Cell: cell, Stage: progress.Probe, What: name, End: true, Err: err})
}

func (w *watched) finish(cell string) {
	w.Sink(progress.Event{Cell: cell, Stage: progress.Finished, End: true})
}

func (w *watched) last() string { return w.said[len(w.said)-1] }

func TestTimeLeftFollowsThePastAndThisRun(t *testing.T) {
	probes := map[string][]string{"a": {"facts", "x", "stage0"}, "b": {"facts", "x", "stage0"}}
	past := Past{"a": {"facts": 20, "x": 100}, "b": {"facts": 20, "x": 100}}
	w := watch(probes, 2, past)
	if w.last() != "about 2 min left" { // 240 s on two cores
		t.Errorf("at the start: %q", w.last())
	}
	w.Sink(progress.Event{Stage: progress.Download, What: "a kernel"})
	w.clock = w.clock.Add(time.Hour)
	w.Sink(progress.Event{Stage: progress.Download, What: "a kernel", End: true})
	w.probe("a", "facts", 20, nil)
	if w.last() != "about 2 min left" {
		t.Errorf("after a download: %q", w.last())
	}
	w.probe("b", "facts", 20, nil)
	w.probe("a", "x", 100, nil)
	w.finish("a")
	if w.last() != "about 2 min left" { // one probe of 100 s remains
		t.Errorf("one probe is left: %q", w.last())
	}
	w.probe("b", "x", 100, nil)
	w.finish("b")
	e := w.all[len(w.all)-1]
	if e.Done != 2 || e.Total != 2 || !e.End || e.What != "" {
		t.Errorf("at the end: %+v", e)
	}
}

// TestASlowRunSaysSo fails if a busy host gets the times of a quiet one.
func TestASlowRunSaysSo(t *testing.T) {
	probes, past := map[string][]string{}, Past{}
	for _, cell := range strings.Split("abcdefghij", "") {
		probes[cell], past[cell] = []string{"x"}, map[string]float64{"x": 60}
	}
	quick, slow := watch(probes, 1, past), watch(probes, 1, past)
	for _, cell := range strings.Split("abcde", "") {
		quick.probe(cell, "x", 60, nil)
		slow.probe(cell, "x", 300, nil)
	}
	if quick.last() != "about 5 min left" || slow.last() != "about 22 min left" {
		t.Errorf("quick %q, slow %q", quick.last(), slow.last())
	}
}

// TestNothingIsPromisedWithoutAPast fails if the first run ever invents a time. It learns as
// soon as a cell has ended.
func TestNothingIsPromisedWithoutAPast(t *testing.T) {
	probes := map[string][]string{"a": {"facts", "x"}, "b": {"facts", "x"}, "c": {"facts", "x"}}
	w := watch(probes, 1, Past{})
	if w.last() != "" {
		t.Errorf("at the start: %q", w.last())
	}
	w.probe("a", "facts", 10, nil)
	w.probe("a", "x", 50, nil)
	w.finish("a")
	if w.last() != "about 2 min left" {
		t.Errorf("after a cell: %q", w.last())
	}
}

// TestACellThatDiesLeavesNothingBehind fails if the time left counts probes that will never
// run, or if a failed run is taken for a quick one.
func TestACellThatDiesLeavesNothingBehind(t *testing.T) {
	w := watch(map[string][]string{"a": {"x"}, "b": {"x"}}, 1, Past{"a": {"x": 600}, "b": {"x": 20}})
	w.probe("a", "x", 1, errors.New("it died"))
	w.finish("a")
	w.finish("a") // twice is once
	if n := len(w.all); w.all[n-2].Stage != progress.Whole || w.all[n-2].Done != 1 {
		t.Errorf("%+v", w.all)
	}
	if w.last() != "about 20 s left" {
		t.Errorf("%q", w.last())
	}
	if d := cmp.Diff(Past{}, w.Measured()); d != "" {
		t.Error(d)
	}
	w.Sink(progress.Event{Cell: "of another plan", Stage: progress.Finished, End: true})
	w.probe("b", "unplanned", 5, nil)
	w.probe("b", "x", 30, nil)
	if d := cmp.Diff(Past{"b": {"unplanned": 5, "x": 30}}, w.Measured()); d != "" {
		t.Error(d)
	}
}

func TestEveryEventIsPassedOn(t *testing.T) {
	var got []progress.Event
	r := New(func(e progress.Event) { got = append(got, e) })
	sent := []progress.Event{{Cell: "a", Stage: progress.Probe, What: "x"}, {Stage: progress.Warning, What: "w"}, {Cell: "a", Stage: progress.Finished, End: true}}
	for _, e := range sent {
		r.Sink(e)
	}
	if d := cmp.Diff(sent, got); d != "" {
		t.Error(d)
	}
}

func TestManyCellsMayReportAtOnce(t *testing.T) {
	probes := map[string][]string{}
	for _, cell := range strings.Split("abcdefgh", "") {
		probes[cell] = []string{"x", "y"}
	}
	last := int64(-1)
	r := New(func(e progress.Event) {
		if e.Stage == progress.Whole {
			if e.Done < last {
				t.Errorf("%d cells after %d", e.Done, last)
			}
			last = e.Done
		}
	})
	r.Plan(probes, 2, Past{"a": {"x": 1, "y": 2}})
	var wg sync.WaitGroup
	for cell, names := range probes {
		wg.Go(func() {
			for _, name := range names {
				r.Sink(progress.Event{Cell: cell, Stage: progress.Probe, What: name})
				r.Sink(progress.Event{Cell: cell, Stage: progress.Probe, What: name, End: true})
			}
			r.Sink(progress.Event{Cell: cell, Stage: progress.Finished, End: true})
		})
	}
	wg.Wait()
	if last != 8 {
		t.Errorf("%d cells ended", last)
	}
}

// TestTimeGoesOnWithoutEvents fails if a probe of a minute leaves the same promise for a minute.
func TestTimeGoesOnWithoutEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		r := New(func(e progress.Event) {
			if e.Stage == progress.Whole {
				said = append(said, e.What)
			}
		})
		ctx, stop := context.WithCancel(t.Context())
		var ticks sync.WaitGroup
		ticks.Go(func() { r.Keep(ctx) })
		time.Sleep(time.Minute)
		if said != nil {
			t.Errorf("without a plan it says %q", said)
		}
		r.Plan(map[string][]string{"a": {"x"}}, 1, Past{"a": {"x": 60}})
		r.Sink(progress.Event{Cell: "a", Stage: progress.Probe, What: "x"})
		time.Sleep(32 * time.Second)
		stop()
		ticks.Wait()
		if d := cmp.Diff([]string{"about 60 s left", "about 50 s left", "about 40 s left", "about 30 s left"}, said); d != "" {
			t.Error(d)
		}
	})
}

func TestTimesAreRoundedForReaders(t *testing.T) {
	for seconds, want := range map[float64]string{0: "less than 10 s", 9.9: "less than 10 s", 34: "about 30 s", 89: "about 90 s", 91: "about 2 min",
		1799: "about 30 min", 5399: "about 90 min", 7500: "about 2 h 10 min", 86400: "about 24 h 0 min"} {
		if got := about(seconds); got != want {
			t.Errorf("%g: %q, want %q", seconds, got, want)
		}
	}
}
