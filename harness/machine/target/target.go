package target

import (
	"context"
	"io"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

// Target is where the probes of a cell run. What it starts is as pristine as the
// target can be made: a guest of its own, or an agent of its own in a system that
// runs already.
type Target interface {
	// Start gives an agent that ran nothing yet, and says how it was had. What it
	// writes beside its records goes to log. Errors are *Failure.
	Start(ctx context.Context, log io.Writer) (agent Agent, how string, err error)
}

// Agent runs probes for the host.
type Agent interface {
	// Run runs one probe. Errors are *Failure, and the agent is gone after one.
	Run(ctx context.Context, probe string, args []string) (wire.Transcript, error)
	// Greeting is what the agent said of itself, and how long it took to.
	Greeting() (wire.Hello, time.Duration)
	// Stop ends the agent; again is harmless.
	Stop() error
	// Usage is what it took of this host once it was stopped: seconds of CPU, and
	// its largest resident memory in bytes.
	Usage() (cpu float64, resident int64)
}
