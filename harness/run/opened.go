package run

import (
	"context"
	"io"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// Opened is a bound subject that is ready for probes. It is safe for concurrent use.
type Opened struct {
	engine *Engine
	cell   matrix.Cell
	place  place
}

// Open makes a bound subject ready for probes: it gets what its guests are made of, and a
// snapshot where the machine can have one. What the guest wrote to its console when it
// booted goes to log. The error may be a *failure.Failure.
func (e *Engine) Open(ctx context.Context, b Bound, log io.Writer) (*Opened, error) {
	p, err := b.Where.open(ctx, e, b.Cell, log)
	return &Opened{engine: e, cell: b.Cell, place: p}, err
}

// Start gives a pristine guest, or an agent in a system that runs already, and says how it
// was had. It waits for no room; With does.
func (o *Opened) Start(ctx context.Context, log io.Writer) (target.Agent, string, error) {
	return o.place.start(ctx, log)
}

// With lets use have a guest that nothing ran in, and ends it. What it writes to
// its console goes to log. An error means that there was no guest; what use met
// is in the run.
func (o *Opened) With(ctx context.Context, log io.Writer, use func(target.Agent) error) (run evidence.ProbeRun, err error) {
	err = o.place.lend(ctx, func() error {
		g, how, err := o.Start(ctx, log)
		if err != nil {
			return err
		}
		_, took := g.Greeting()
		run.Guest, run.StartSeconds = how, took.Seconds()
		began := time.Now()
		err = use(g)
		// A failed guest is gone already; why it failed is what counts.
		if stopErr := g.Stop(); err == nil && stopErr != nil {
			return stopErr
		}
		run.Seconds = time.Since(began).Seconds()
		run.CPUSeconds, run.ResidentBytes = g.Usage()
		if err != nil {
			run.Failure = asFailure(ctx, err)
		}
		return nil
	})
	if err == nil && ctx.Err() != nil {
		err, run.Failure = run.Err(), nil // the run of all cells was stopped, not this probe's
	}
	return run, err
}

// Observe runs one probe, below a defect model unless defect is empty, in a
// guest of its own. The transcript is filed under the probe's own name; a run
// that failed has none.
func (o *Opened) Observe(ctx context.Context, log io.Writer, probe, defect string) (wire.Transcript, evidence.ProbeRun, error) {
	if probe == stage0.Probe {
		t, run := o.stage0(ctx)
		return t, run, nil
	}
	var t wire.Transcript
	run, err := o.With(ctx, log, func(g target.Agent) (err error) {
		t, err = observe(ctx, g, probe, defect, o.cell.Policy)
		return err
	})
	return t, run, err
}
