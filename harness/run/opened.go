package run

import (
	"context"
	"io"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
)

// Opened is a bound subject that is ready for probes. It is safe for concurrent use.
type Opened struct {
	engine *Engine
	cell   matrix.Cell
	place  place
}

// Open gets a bound subject ready for probes: what its guests are made of, and a snapshot if
// the machine can have one. The console of the guest's boot goes to log. The error may be a
// *failure.Failure.
func (e *Engine) Open(ctx context.Context, b Bound, log io.Writer) (*Opened, error) {
	p, err := b.Where.open(ctx, e, b.Cell, log)
	return &Opened{engine: e, cell: b.Cell, place: p}, err
}

// Start returns the agent of a pristine guest, or an agent in a running system. The text
// says how it was made. Start does not wait for room on this host; With does.
func (o *Opened) Start(ctx context.Context, log io.Writer) (target.Agent, string, error) {
	return o.place.start(ctx, log)
}

// With calls use with a pristine guest and ends the guest. The guest's console goes to log.
// An error means that there was no guest. An error of use is in the run.
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
		// A failed guest has ended already, and the reason why it failed counts.
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
		err, run.Failure = run.Err(), nil // not this probe was stopped, but the whole run
	}
	return run, err
}
