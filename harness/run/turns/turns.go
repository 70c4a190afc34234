// Package turns measures loads on several targets in turns, so that whatever slows this host
// down for a while slows all of them down alike.
package turns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/foreign"
	judged "github.com/mapstack/conformance/harness/judge/load"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/load"
)

// Subject is a target by the name that reports give it.
type Subject struct {
	Name   string
	Cell   matrix.Cell
	Opened *run.Opened
}

// Plan says what to measure.
type Plan struct {
	Subjects     []Subject
	Loads        []string // of Loads
	Repetitions  int
	Milliseconds int // that a repetition of a load is measured
	Sink         progress.Sink
}

// Loads returns the names of all loads: those of poc/load, and the making of threads with the
// Go runtimes that take the stacks of threads elsewhere.
func Loads() []string {
	names := load.Names()
	program, _ := catalog.Lookup(catalog.Load)
	for _, v := range program.Variants {
		names = slices.Insert(names, slices.Index(names, making)+1, making+"-"+string(v))
	}
	return names
}

// making is the load that the runtime variants run too.
const making = "threads"

// program returns the probe that runs a load, and the name that it has there.
func program(name string) (probe, load string) {
	if variant, varied := strings.CutPrefix(name, making+"-"); varied {
		return catalog.Load + "-" + variant, making
	}
	return catalog.Load, name
}

// Run measures everything. Every repetition of a target has a pristine guest, or an agent of
// its own. A load that fails is not tried again on its target. The error means that a target
// could not be started.
func (p Plan) Run(ctx context.Context) ([]judged.Target, []judged.HostLoad, error) {
	targets := make([]judged.Target, len(p.Subjects))
	for i, s := range p.Subjects {
		targets[i] = judged.Target{Name: s.Name, Arch: s.Cell.Arch, OS: foreign.Text(s.Cell.OS)}
		for _, name := range p.Loads {
			targets[i].Runs = append(targets[i].Runs, judged.Run{Load: name, Samples: []judged.Sample{}})
		}
		if err := p.describe(ctx, s, &targets[i]); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	var during []judged.HostLoad
	for n := range p.Repetitions {
		watch := Watch()
		for _, i := range order(len(targets), n) {
			if err := p.repeat(ctx, n, p.Subjects[i], &targets[i]); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", p.Subjects[i].Name, err)
			}
		}
		during = append(during, watch())
	}
	return targets, during, nil
}

// order returns the targets of a repetition: forward, and the next time backward. A host that
// becomes slower all the time then does not favour the first.
func order(targets, repetition int) []int {
	all := make([]int, targets)
	for i := range all {
		all[i] = i
	}
	if repetition%2 == 1 {
		slices.Reverse(all)
	}
	return all
}

// describe asks a target what it is.
func (p Plan) describe(ctx context.Context, s Subject, t *judged.Target) error {
	ran, err := s.Opened.With(ctx, io.Discard, func(a target.Agent) error {
		t.Place = placeOf(s.Cell, a)
		transcript, err := a.Run(ctx, catalog.Load, []string{load.Machine})
		if err != nil {
			return err
		}
		t.Machine = map[string]string{}
		for _, o := range transcript.Observations {
			for key, value := range o.Values {
				t.Machine[foreign.Text(key)] = foreign.Text(value)
			}
		}
		if len(t.Machine) == 0 {
			return errors.New("the program load says nothing of the machine; build it from this revision")
		}
		return nil
	})
	return errors.Join(err, ran.Err())
}

// placeOf returns what executes the instructions of an agent.
func placeOf(c matrix.Cell, a target.Agent) judged.Place {
	if g, is := a.(*target.Guest); is {
		if g.Accel == qemu.KVM {
			return judged.KVM
		}
		return judged.TCG
	}
	if c.Host == matrix.UserMode {
		return judged.UserMode
	}
	return judged.Hardware
}

// repeat measures every load once on a target. After a load that failed the others go on with
// another agent.
func (p Plan) repeat(ctx context.Context, n int, s Subject, t *judged.Target) error {
	for at := 0; at < len(t.Runs); {
		ran, err := s.Opened.With(ctx, io.Discard, func(a target.Agent) error {
			for at < len(t.Runs) {
				r := &t.Runs[at]
				at++
				if r.Failed != "" || r.Refused != nil {
					continue
				}
				p.show(n, s, at, false)
				if err := p.one(ctx, a, r); err != nil {
					return err
				}
			}
			return nil
		})
		p.show(n, s, at, true)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ran.Err()
		}
	}
	return nil
}

// one measures a load once. The error means that the agent has ended.
func (p Plan) one(ctx context.Context, a target.Agent, r *judged.Run) error {
	probe, name := program(r.Load)
	if hello, _ := a.Greeting(); !slices.Contains(hello.Probes, probe) {
		r.Failed = "the programs of this target have no " + probe
		return nil
	}
	t, err := a.Run(ctx, probe, []string{name, strconv.Itoa(p.Milliseconds)})
	if err != nil {
		r.Failed = foreign.Text(progress.Brief(err))
		return err
	}
	sample, refused, err := judged.Read(t)
	switch {
	case err != nil:
		r.Failed = err.Error()
	case refused != nil:
		r.Refused = refused
	default:
		r.Samples = append(r.Samples, *sample)
	}
	return nil
}

// show tells how far a repetition is.
func (p Plan) show(n int, s Subject, at int, end bool) {
	p.Sink(progress.Event{Cell: s.Name, Stage: progress.Probe, What: fmt.Sprintf("load, repetition %d of %d", n+1, p.Repetitions), Done: int64(at), Total: int64(len(p.Loads)), End: end})
}

// settle is how long the host is looked at before the first repetition.
const settle = time.Second

// Before returns how busy the host is while nothing is measured.
func Before(ctx context.Context) judged.HostLoad {
	watch := Watch()
	select {
	case <-time.After(settle):
	case <-ctx.Done():
	}
	return watch()
}
