package run

import (
	"context"
	"sync"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/poc/wire"
)

// Running is a system that runs already, as a cell's target.
type Running struct {
	System
	// Programs is what the evidence says of agent and probes.
	Programs evidence.Guest
	// Kernel and QEMU are what it says of a system that was booted for the run, nil for
	// one that was there.
	Kernel *evidence.Kernel
	QEMU   *evidence.QEMU

	one sync.Mutex
}

// System is a target that was there before the run and is there after it.
type System interface {
	target.Target
	// Early is what stage 0 observes there, false when it says nothing.
	Early(ctx context.Context) (wire.Transcript, bool)
	// Unchanged compares the system with what it was before the probes; a
	// difference is a *failure.Failure.
	Unchanged(ctx context.Context) error
}
