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

// Running is the Where of a system that runs before the run and after it.
type Running struct {
	System System
	// Programs describes the agent and the probes in the evidence.
	Programs evidence.Guest
	// Kernel and QEMU describe a system that QEMU booted for the run, or a user-mode
	// emulator. They are nil for every other system.
	Kernel *evidence.Kernel
	QEMU   *evidence.QEMU
}

// System is a system that runs already.
type System interface {
	target.Target
	// Early runs stage 0 and returns what it observed; false if it said nothing.
	Early(ctx context.Context) (wire.Transcript, bool)
	// Unchanged compares the system with its state before the probes. A difference is a
	// *failure.Failure.
	Unchanged(ctx context.Context) error
}

func (r Running) open(context.Context, *Engine, matrix.Cell, io.Writer) (place, error) {
	return &running{Running: r}, nil
}

// running gives agents in a system that runs already.
type running struct {
	Running
	one sync.Mutex // held by the probe that runs; two would disturb each other

	mu   sync.Mutex
	last wire.Hello // of the agent that started last

	asked sync.Once
	first *wire.Transcript // of stage 0; nil if it was not asked or observed nothing
}

// lend calls run while no other probe runs. The system has its memory already.
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

func (r *running) facts() (wire.Transcript, bool) { return wire.Transcript{}, false }

func (r *running) guests() bool { return false }

func (r *running) unchanged(ctx context.Context) error { return r.System.Unchanged(ctx) }

func (r *running) snapshot() string { return "" }

func (r *running) describe(c *evidence.CellRun) {
	guest := r.Programs
	r.mu.Lock()
	defer r.mu.Unlock()
	guest.Hello = r.last
	c.Guest, c.Kernel, c.QEMU = &guest, r.Kernel, r.QEMU
}
