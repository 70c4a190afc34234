package run

import (
	"context"
	"io"
	"sync"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

// Running is Where for a system that was there before the run and is there after it.
type Running struct {
	System System
	// Programs is what the evidence says of agent and probes.
	Programs evidence.Guest
	// Kernel and QEMU are what the evidence says of a system that was booted for the
	// run. They are nil for one that was there.
	Kernel *evidence.Kernel
	QEMU   *evidence.QEMU
}

// System is a system that runs already.
type System interface {
	target.Target
	// Early returns what stage 0 observes there; false if it says nothing.
	Early(ctx context.Context) (wire.Transcript, bool)
	// Unchanged compares the system with what it was before the probes; a
	// difference is a *failure.Failure.
	Unchanged(ctx context.Context) error
}

func (r Running) open(context.Context, *Engine, matrix.Cell, io.Writer) (place, error) {
	return &running{Running: r}, nil
}

// running gives agents in a system that runs already.
type running struct {
	Running
	one sync.Mutex // probes of one system would disturb each other

	mu   sync.Mutex
	last wire.Hello // of the agent that started last

	asked sync.Once
	first *wire.Transcript // of stage 0; nil if it was not asked or observed nothing
}

// lend calls run alone. The system's memory is there already.
func (r *running) lend(_ context.Context, run func() error) error {
	r.one.Lock()
	defer r.one.Unlock()
	return run()
}

func (r *running) start(ctx context.Context, log io.Writer) (target.Agent, string, error) {
	a, how, err := r.System.Start(ctx, log)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.last, _ = a.Greeting()
	}
	return a, how, err
}

// ask runs stage 0, once.
func (r *running) ask(ctx context.Context) {
	r.asked.Do(func() {
		if t, spoke := r.System.Early(ctx); spoke {
			r.first = &t
		}
	})
}

func (r *running) early() (wire.Transcript, bool) {
	if r.first == nil {
		return wire.Transcript{}, false
	}
	return *r.first, true
}

func (r *running) unchanged(ctx context.Context) error { return r.System.Unchanged(ctx) }

func (r *running) snapshot() string { return "" }

func (r *running) describe(c *evidence.CellRun) {
	guest := r.Programs
	r.mu.Lock()
	defer r.mu.Unlock()
	guest.Hello = r.last
	c.Guest, c.Kernel, c.QEMU = &guest, r.Kernel, r.QEMU
}
