package run

import (
	"context"
	"io"
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// Shares reports whether a probe may run in a guest that other probes use before and after
// it.
func (o *Opened) Shares(probe string) bool {
	program, _ := catalog.Lookup(probe)
	return program.SharesOn(o.cell.Arch) && o.place.guests() && !o.engine.Isolate
}

// Turn returns when a probe runs in the guest of those that use up what the machine has; 0 if
// it does not run there.
func (o *Opened) Turn(probe string) int {
	if !o.place.guests() || o.engine.Isolate {
		return 0
	}
	program, _ := catalog.Lookup(probe)
	return program.Turn
}

// Series runs probes one after another in one guest. A guest in which a probe left something
// behind is replaced. Only one goroutine at a time may use it.
type Series struct {
	opened *Opened
	guest  target.Agent // nil before the first probe, and after one that left something
	cpu    float64      // seconds that the guest used before the probe that runs
}

// Series calls use with a series, while the host has room for its guest.
func (o *Opened) Series(ctx context.Context, use func(*Series) error) error {
	return o.place.lend(ctx, func() error {
		s := &Series{opened: o}
		err := use(s)
		if s.guest != nil {
			if stopErr := s.guest.Stop(); err == nil {
				err = stopErr
			}
		}
		return err
	})
}

// Cell returns the name of the cell.
func (s *Series) Cell() string { return s.opened.cell.Name }

// Observe runs one probe, below a defect model unless defect is empty. The transcript has the
// probe's own name. A failed run has no transcript. If the probe fails in a guest that others
// used before, it is run again in a pristine one: they may be to blame. It is also run again
// after an error of ours. The run keeps the earlier failures.
func (s *Series) Observe(ctx context.Context, log io.Writer, probe, defect string) (t wire.Transcript, run evidence.ProbeRun, err error) {
	switch probe {
	case stage0.Probe:
		t, run = s.opened.stage0(ctx)
		return t, run, nil
	case catalog.Facts:
		if t, ran := s.opened.place.facts(); ran {
			return t, evidence.ProbeRun{Guest: evidence.Saved}, nil
		}
	}
	var earlier []*failure.Failure
	for ours := 0; ; {
		used := s.guest != nil
		t, run, err = s.observe(ctx, log, probe, defect)
		run.Earlier = earlier
		transient := run.Failure != nil && run.Failure.Transient() && s.opened.place.guests()
		if run.Failure == nil || err != nil || ctx.Err() != nil || !used && (!transient || ours == retries) {
			return t, run, err
		}
		if !used {
			ours++
		}
		earlier = append(earlier, run.Failure)
	}
}

func (s *Series) observe(ctx context.Context, log io.Writer, probe, defect string) (t wire.Transcript, run evidence.ProbeRun, err error) {
	if err := s.start(ctx, log, &run); err != nil {
		return t, run, err
	}
	began := time.Now()
	t, err = observe(ctx, s.guest, probe, defect, s.opened.cell.Policy)
	run.Seconds = time.Since(began).Seconds()
	if err != nil {
		run.Failure = asFailure(ctx, err)
	}
	var cpu float64
	cpu, run.ResidentBytes = s.guest.Usage()
	run.CPUSeconds, s.cpu = cpu-s.cpu, cpu
	// A failed guest has ended already, and the reason why it failed counts.
	if err = s.release(run.Failure != nil || len(t.Exit.Left) > 0); run.Failure != nil {
		err = nil
	}
	if err == nil && ctx.Err() != nil && run.Failure != nil {
		err, run.Failure = run.Err(), nil // not this probe was stopped, but the whole run
	}
	return t, run, err
}

// release ends a probe's use of the guest. Only a guest of ours that is as it was is kept.
func (s *Series) release(end bool) error {
	if g, ours := s.guest.(*target.Guest); ours && !end {
		return g.Log(io.Discard)
	}
	defer func() { s.guest = nil }()
	return s.guest.Stop()
}

// start gets a guest unless there is one.
func (s *Series) start(ctx context.Context, log io.Writer, run *evidence.ProbeRun) (err error) {
	if s.guest != nil {
		run.Guest = evidence.Shared
		return s.guest.(*target.Guest).Log(log)
	}
	if s.guest, run.Guest, err = s.opened.Start(ctx, log); err != nil {
		s.guest = nil
		return err
	}
	_, took := s.guest.Greeting()
	run.StartSeconds, s.cpu = took.Seconds(), 0
	return nil
}
