package turns

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	judged "github.com/mapstack/conformance/harness/judge/load"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/poc/load"
	"github.com/mapstack/conformance/poc/wire"
)

// system is a system whose agents answer from a script.
type system struct {
	name    string
	starts  *[]string // the names of the systems in the order of their agents
	asked   []string
	answers map[string]func() (wire.Transcript, error) // by load
	broken  bool
}

func (s *system) Start(context.Context, io.Writer) (target.Agent, string, error) {
	if s.broken {
		return nil, "", errors.New("no way to it")
	}
	*s.starts = append(*s.starts, s.name)
	return &agent{s}, target.Started, nil
}
func (s *system) Early(context.Context) (wire.Transcript, bool) { return wire.Transcript{}, false }
func (s *system) Unchanged(context.Context) error               { return nil }

type agent struct{ *system }

func (a *agent) Greeting() (wire.Hello, time.Duration) {
	return wire.Hello{Probes: []string{"load", "load-strict"}}, 0
}
func (a *agent) Stop() error             { return nil }
func (a *agent) Usage() (float64, int64) { return 0, 0 }
func (a *agent) Run(_ context.Context, probe string, args []string) (wire.Transcript, error) {
	a.asked = append(a.asked, probe+" "+strings.Join(args, " "))
	if answer := a.answers[args[0]]; answer != nil {
		return answer()
	}
	return said(load.Measured, "ops 600 ns 300000000 p50 10 p99 20 p999 30 longest 40 threads.idle 5 threads.most 9 gomaxprocs 2 cpus 2 "+
		"switches.voluntary 1 switches.involuntary 1 faults.minor 1 faults.major 0 cpu.user 1 cpu.system 1 gc.count 0 gc.p50 0 gc.p99 0 gc.longest 0"), nil
}

func said(step, pairs string) wire.Transcript {
	o := wire.Observation{Step: step, Values: map[string]string{}}
	for words := strings.Fields(pairs); len(words) > 0; words = words[2:] {
		o.Values[words[0]] = words[1]
	}
	return wire.Transcript{Observations: []wire.Observation{o}}
}

// plan returns a plan over systems.
func plan(t *testing.T, loads []string, systems ...*system) Plan {
	t.Helper()
	p := Plan{Loads: loads, Repetitions: 3, Milliseconds: 7, Sink: progress.Discard}
	for _, s := range systems {
		if s.answers == nil {
			s.answers = map[string]func() (wire.Transcript, error){}
		}
		if s.answers[load.Machine] == nil {
			s.answers[load.Machine] = func() (wire.Transcript, error) { return said(load.Machine, "cpu \x1b[8mx"), nil }
		}
		opened, err := (&run.Engine{}).Open(t.Context(), run.Bound{Cell: matrix.Cell{Arch: "amd64", Host: matrix.Native}, Where: run.Running{System: s}}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		p.Subjects = append(p.Subjects, Subject{Name: s.name, Cell: matrix.Cell{Arch: "amd64", Host: matrix.Native}, Opened: opened})
	}
	return p
}

// TestTargetsTakeTurns fails if all repetitions of a target come one after another, or if the
// first target is always measured before the others.
func TestTargetsTakeTurns(t *testing.T) {
	var starts []string
	a, b := &system{name: "a", starts: &starts}, &system{name: "b", starts: &starts}
	targets, during, err := plan(t, []string{"pool", "threads-strict"}, a, b).Run(t.Context())
	if err != nil || len(during) != 3 {
		t.Fatal(during, err)
	}
	if want := "a b a b b a a b"; strings.Join(starts, " ") != want { // the first two only say what they are
		t.Errorf("%v, want %s", starts, want)
	}
	if want := []string{"load machine", "load pool 7", "load-strict threads 7"}; !slices.Equal(a.asked[:3], want) {
		t.Errorf("%q, want %q", a.asked, want)
	}
	for _, one := range targets {
		if one.Place != judged.Hardware || one.Machine["cpu"] != `\x1b[8mx` || len(one.Runs) != 2 || len(one.Runs[0].Samples) != 3 || len(one.Runs[1].Samples) != 3 {
			t.Errorf("%+v", one)
		}
	}
}

// TestALoadThatFailsStopsNoOther fails if the loads after one that ends its agent are not
// measured, or if one that failed or was refused is tried again.
func TestALoadThatFailsStopsNoOther(t *testing.T) {
	var starts []string
	s := &system{name: "a", starts: &starts, answers: map[string]func() (wire.Transcript, error){
		"spawn": func() (wire.Transcript, error) { return wire.Transcript{}, errors.New("the guest ended\nand more") },
		"alloc": func() (wire.Transcript, error) { return said(load.Refused, "limit pids.max free 1 needs 2"), nil },
		"timers": func() (wire.Transcript, error) {
			return wire.Transcript{Exit: wire.Exit{Code: 2, Stderr: "panic: x"}}, nil
		},
	}}
	targets, _, err := plan(t, []string{"spawn", "alloc", "timers", "threads-fallback", "pool"}, s).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runs := targets[0].Runs
	for i, want := range []string{"the guest ended", "", "panic: x", "no load-fallback", ""} {
		if got := runs[i].Failed; !strings.Contains(got, want) || (got == "") != (want == "") || strings.Contains(got, "\n") {
			t.Errorf("%s: %q, want %q", runs[i].Load, got, want)
		}
	}
	if runs[1].Refused == nil || runs[1].Refused.Limit != "pids.max" || len(runs[4].Samples) != 3 {
		t.Errorf("%+v", runs)
	}
	count := map[string]int{}
	for _, asked := range s.asked {
		count[asked]++
	}
	for asked, want := range map[string]int{"load spawn 7": 1, "load alloc 7": 1, "load timers 7": 1, "load pool 7": 3} {
		if count[asked] != want {
			t.Errorf("%s: %d times, want %d", asked, count[asked], want)
		}
	}
	if len(starts) != 1+3+1 { // to say what it is, one for each repetition, and one after the failure
		t.Errorf("%d agents", len(starts))
	}
}

func TestATargetThatCannotBeStartedIsNamed(t *testing.T) {
	var starts []string
	_, _, err := plan(t, []string{"pool"}, &system{name: "a", starts: &starts}, &system{name: "board", broken: true}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "board") || !strings.Contains(err.Error(), "no way to it") {
		t.Error(err)
	}
	mute := &system{name: "old", starts: &starts, answers: map[string]func() (wire.Transcript, error){
		load.Machine: func() (wire.Transcript, error) { return wire.Transcript{}, nil }}}
	if _, _, err = plan(t, []string{"pool"}, mute).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "old: ") {
		t.Error(err)
	}
}

// TestEveryLoadIsSaidToBeSomething fails if a load that the program does not know is offered, or
// one has no text.
func TestEveryLoadIsSaidToBeSomething(t *testing.T) {
	c, err := judged.LoadChapter(os.DirFS("../../../fixtures"))
	if err != nil {
		t.Fatal(err)
	}
	all := Loads()
	for _, name := range all {
		probe, inner := program(name)
		if !slices.Contains(load.Names(), inner) || !strings.HasPrefix(probe, "load") || c.About(name).English == "" {
			t.Errorf("%s: %s %s: %+v", name, probe, inner, c.About(name))
		}
	}
	if !slices.Contains(all, "threads-strict") || !slices.Contains(all, "threads-fallback") || c.About("threads-strict") == c.About("threads") {
		t.Errorf("%v", all)
	}
}

func TestTheHostsTicksAreThoseThatWereBusy(t *testing.T) {
	for text, want := range map[string]float64{"cpu  10 1 20 1000 100 3 4 5 9 9\ncpu0 7 7 7\n": 38, "": 0, "cpu x": 0} {
		if got := busyIn(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if h := Watch()(); h.BusyCores < 0 || h.LoadAverage < 0 {
		t.Errorf("%+v", h)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if h := Before(stopped); h.BusyCores < 0 {
		t.Errorf("%+v", h)
	}
}
