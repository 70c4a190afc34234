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

// Bound is a subject together with the place where its probes run.
type Bound struct {
	Cell  matrix.Cell
	Where Where
}

// Where says where the probes of a cell run: Guests or Running.
type Where interface {
	// open gets the place ready for probes. The console of a boot goes to log. The place is
	// never nil: even after an error it can describe what is known.
	open(ctx context.Context, e *Engine, cell matrix.Cell, log io.Writer) (place, error)
	// made returns what the cell's guests are made of: kernel, emulator and image. It boots
	// nothing.
	made(ctx context.Context, e *Engine, cell matrix.Cell) (evidence.CellRun, error)
}

// place starts the agents of one cell. It is safe for concurrent use.
type place interface {
	// lend waits for the room that an agent needs, and calls run while it has it.
	lend(ctx context.Context, run func() error) error
	// start returns the agent of a pristine guest, or an agent in a running system. The text
	// says how it was made: evidence.Restored, evidence.Booted or evidence.Started.
	start(ctx context.Context, log io.Writer) (target.Agent, string, error)
	// ask has stage 0 run where it has not: in guests it is PID 1 before any agent.
	ask(ctx context.Context)
	// facts returns what the probe of that name observed before the guest was saved; false
	// if it has to run.
	facts() (wire.Transcript, bool)
	// guests reports whether start returns guests of ours, which several probes may use.
	guests() bool
	// early returns what stage 0 observed so far; false if it observed nothing.
	early() (wire.Transcript, bool)
	// describe fills in what is known of the cell, also after an error of open.
	describe(c *evidence.CellRun)
	// unchanged returns an error if the probes changed the place for its other users.
	unchanged(ctx context.Context) error
	// snapshot identifies the guest that every start restores; "" if there is none.
	snapshot() string
}

// Guests is the Where of QEMU guests, which are restored from a snapshot or booted.
type Guests struct {
	// Kernel returns the kernel to boot.
	Kernel func(ctx context.Context) (kernel.Image, error)
	// Images gives the guest image; nil for the one of the engine.
	Images Images
}
