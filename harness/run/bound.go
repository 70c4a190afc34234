package run

import (
	"context"
	"io"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/source/kernel"
	"github.com/mapstack/conformance/poc/wire"
)

// Bound is a subject that is bound to where its probes run.
type Bound struct {
	Cell  matrix.Cell
	Where Where
}

// Where is where the probes of a cell run: Guests, or a System that runs already.
type Where interface {
	// open makes it ready for probes. What the boot writes to the console goes to log.
	// The place is never nil: after an error it still describes what is known.
	open(ctx context.Context, e *Engine, cell matrix.Cell, log io.Writer) (place, error)
}

// place gives the agents of one cell. It is safe for concurrent use.
type place interface {
	// lend calls run while there is room for one more agent.
	lend(ctx context.Context, run func() error) error
	// start gives a pristine guest, or an agent in a system that runs already, and
	// says how it was had.
	start(ctx context.Context, log io.Writer) (target.Agent, string, error)
	// ask has stage 0 run where it has not: in guests it is PID 1 before any agent.
	ask(ctx context.Context)
	// early returns what stage 0 observed so far; false if it observed nothing.
	early() (wire.Transcript, bool)
	// describe fills in what is known of the cell, also after an error of open.
	describe(c *evidence.CellRun)
	// unchanged compares the place with what it was before the probes.
	unchanged(ctx context.Context) error
	// snapshot identifies the guest that every start restores; "" if there is none.
	snapshot() string
}

// Guests is Where for QEMU guests: a guest of its own for each probe, restored from a
// snapshot or booted.
type Guests struct {
	// Kernel gives the kernel to boot.
	Kernel func(ctx context.Context) (kernel.Image, error)
}
