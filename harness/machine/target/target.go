package target

import (
	"context"
	"io"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

// Target is where the probes of a cell run. Every agent that it starts has a guest of its
// own, or is at least an agent of its own in a running system.
type Target interface {
	// Start returns an agent that has run nothing yet. how says how it was made: restored,
	// booted or started. What the agent writes besides its records goes to log. Errors are
	// *Failure.
	Start(ctx context.Context, log io.Writer) (agent Agent, how string, err error)
}

// Agent runs probes for the host.
type Agent interface {
	// Run runs one probe. Errors are *Failure. The agent has ended after an error.
	Run(ctx context.Context, probe string, args []string) (wire.Transcript, error)
	// Greeting returns what the agent said of itself, and how long it took to say it.
	Greeting() (wire.Hello, time.Duration)
	// Stop ends the agent. It may be called again.
	Stop() error
	// Usage returns what an agent has used of this host: seconds of CPU, and its largest
	// resident memory in bytes. Both are 0 if they are unknown.
	Usage() (cpu float64, resident int64)
}
