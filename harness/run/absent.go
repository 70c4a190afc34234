package run

import (
	"context"
	"errors"
	"io"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

// Absent is the Where of a subject that there is nothing of to run: its image was not supplied,
// or cannot be read. Its cell has no observations, and the reason.
type Absent struct {
	// Err is why. It is never nil.
	Err error
}

func (a Absent) open(context.Context, *Engine, matrix.Cell, io.Writer) (place, error) {
	return absent{a.Err}, a.Err
}

// made returns why there is nothing: an interrupted run had something.
func (a Absent) made(context.Context, *Engine, matrix.Cell) (c evidence.CellRun, err error) {
	return c, a.Err
}

// absent is a place where nothing can start.
type absent struct{ err error }

func (a absent) lend(context.Context, func() error) error { return a.err }

func (a absent) start(context.Context, io.Writer) (target.Agent, string, error) {
	return nil, "", errors.Join(a.err)
}

func (absent) ask(context.Context)             {}
func (absent) facts() (wire.Transcript, bool)  { return wire.Transcript{}, false }
func (absent) guests() bool                    { return false }
func (absent) early() (wire.Transcript, bool)  { return wire.Transcript{}, false }
func (absent) describe(*evidence.CellRun)      {}
func (absent) unchanged(context.Context) error { return nil }
func (absent) snapshot() string                { return "" }
