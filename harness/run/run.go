package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/guest/guestimage"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/local"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/compiler"
	"github.com/mapstack/conformance/harness/source/kernel"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// Emulators gives the QEMU that runs an architecture.
type Emulators interface {
	Find(ctx context.Context, rec arch.Record) (toolbox.QEMU, error)
}

// Images gives the guest image of an architecture.
type Images interface {
	Image(ctx context.Context, rec arch.Record) (guestimage.Image, error)
}

// Supplies gives the parts of an architecture that no archive has. If parts are missing, the
// error is a *local.MissingError that lists them. given means that the kernel is no part.
type Supplies interface {
	Parts(rec arch.Record, given bool) (local.Parts, error)
}

// Engine runs the probes of bound subjects.
type Engine struct {
	Emulators Emulators
	Images    Images
	Supplies  Supplies
	Host      evidence.Host
	Sink      progress.Sink
	// Params are kernel parameters besides those that every guest gets.
	Params []arch.Param
	// Defect is the defect model to inject below every probe that can run below one; "" for
	// none.
	Defect string
	// Snapshots keeps booted guests, from which probe runs are restored. With Fresh, or
	// without Snapshots, guests are booted.
	Snapshots Snapshots
	Fresh     bool
	// Isolate gives every probe a guest of its own. Without it, probes that leave nothing
	// behind use one guest.
	Isolate bool
	// Verdict says in a few words what a cell's evidence decides. It is shown as soon as the
	// cell has ended. Nil says nothing.
	Verdict func(evidence.CellRun) string
	// Undecided says, by probe, which claim could not be decided although the probe ran to its
	// end, and why. Such a probe is run once more in a fresh guest: something went wrong in it
	// that may not come again. Nil repeats nothing.
	Undecided func(evidence.CellRun) map[string]string
	// Earlier has what an interrupted run left of the cells, by name; nil for a new run. What
	// it has is not run again.
	Earlier   map[string]evidence.CellRun
	kvmOnce   sync.Once
	kvmReason string // why KVM is not used; "" when it is

	lendOnce sync.Once
	cores    *admission
	memory   *semaphore.Weighted
}

// Cells runs the probes of every bound subject, which probes holds by the name of its cell.
// It writes the evidence of a cell as soon as the cell has ended. A failed cell has its
// failure in its result. The returned error means that evidence could not be written.
func (e *Engine) Cells(ctx context.Context, subjects []Bound, probes map[string][]string, folder evidence.Folder) ([]evidence.CellRun, error) {
	results := make([]evidence.CellRun, len(subjects))
	order := make([]int, len(subjects))
	for i := range order {
		order[i] = i
	}
	// The slowest cells start first. A slow cell that starts last would run alone.
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(slowness(subjects[b].Cell), slowness(subjects[a].Cell))
	})

	var group errgroup.Group
	// While some cells run guests, others may download or compile.
	group.SetLimit(2 * e.Host.Cores)
	for _, i := range order {
		group.Go(func() error {
			name := subjects[i].Cell.Name
			if earlier, is := e.Earlier[name]; is && earlier.Ended() {
				results[i] = earlier
				e.Sink(progress.Event{Cell: name, Stage: progress.Finished, What: e.verdict(earlier), End: true, Err: earlier.Err()})
				return nil
			}
			result := evidence.CellRun{Cell: subjects[i].Cell, Transcripts: map[string]wire.Transcript{}}
			err := e.cell(ctx, subjects[i], &result, probes[name], folder)
			result.Failure = asFailure(ctx, err)
			results[i] = result
			// What is shown as finished is in the evidence, whatever happens next.
			written := folder.WriteCell(result)
			e.Sink(progress.Event{Cell: name, Stage: progress.Finished, What: e.verdict(result), End: true, Err: errors.Join(err, written)})
			return written
		})
	}
	err := group.Wait()
	return results, err
}

func (e *Engine) verdict(c evidence.CellRun) string {
	if e.Verdict == nil {
		return ""
	}
	return e.Verdict(c)
}

// room calls run while it holds one of the host's cores and a guest's memory, in MiB.
func (e *Engine) room(ctx context.Context, memory int64, run func() error) error {
	budget := int64(e.Host.MemoryMiB * guestShareNum / guestShareDen)
	e.lendOnce.Do(func() {
		e.cores, e.memory = newAdmission(e.Host.Cores, hostIdle()), semaphore.NewWeighted(budget)
	})
	return within(ctx, e.cores, e.memory, memory, budget, run)
}

// within runs run while it holds a place of a guest and its memory.
func within(ctx context.Context, cores *admission, memory *semaphore.Weighted, need, budget int64, run func() error) error {
	if need > budget {
		return fmt.Errorf("the cell needs %d MiB of memory and this host lends guests %d MiB at most; run it on a larger one", need, budget)
	}
	// The core comes first, so that a guest which waits for a core holds no memory.
	if err := cores.acquire(ctx); err != nil {
		return err
	}
	defer cores.release()
	if err := memory.Acquire(ctx, need); err != nil {
		return err
	}
	defer memory.Release(need)
	return run()
}

func slowness(c matrix.Cell) int {
	rec, err := arch.Lookup(c.Arch)
	if err != nil {
		return 0
	}
	return rec.Slowness
}

// asFailure turns every error of a cell into a failure. An unknown error is one of the
// infrastructure.
func asFailure(ctx context.Context, err error) *failure.Failure {
	var f *failure.Failure
	var wrong *kernel.WrongArchError
	var missing *local.MissingError
	var tools *compiler.MissingError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		if f.Kind == failure.Interrupted {
			f.Console = "" // the guest was well when it was stopped, and the console log has it all
		}
		return f
	case ctx.Err() != nil:
		return &failure.Failure{Kind: failure.Interrupted, Message: "the run was stopped before this cell ended"}
	case errors.As(err, &missing), errors.As(err, &tools), errors.Is(err, guestimage.ErrNotInside):
		return &failure.Failure{Kind: failure.Missing, Message: err.Error()}
	case errors.As(err, &wrong):
		return &failure.Failure{Kind: failure.WrongArch, Message: err.Error()}
	}
	return &failure.Failure{Kind: failure.Infra, Message: err.Error()}
}

// cell runs one cell and fills in its result. A probe whose run fails loses only its own
// observations.
func (e *Engine) cell(ctx context.Context, subject Bound, result *evidence.CellRun, probes []string, folder evidence.Folder) (err error) {
	total := len(probes)
	probes = slices.DeleteFunc(slices.Clone(probes), func(p string) bool { return p == stage0.Probe })
	early := len(probes) < total && stage0.Unassembled(result.Cell.Arch) == ""
	total = len(probes)
	if probes = e.take(result, probes); complete(*result, probes, early) {
		return nil
	}
	log, err := folder.Console(result.Cell.Name, evidence.BootConsole)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	o, err := e.Open(ctx, subject, log)
	defer o.describe(result)
	defer func() { o.keepEarly(ctx, result, early, err) }()
	if err != nil {
		return err
	}
	if early {
		o.place.ask(ctx) // before any probe, also in a system that runs already
	}
	r := runs{engine: e, opened: o, folder: folder, result: result, total: total, begun: total - len(probes), ended: total - len(probes)}
	if result.Runs == nil {
		result.Runs = map[string]evidence.ProbeRun{}
	}
	if err = r.all(ctx, probes); err == nil {
		err = r.doubted(ctx)
	}
	if ctx.Err() == nil {
		err = errors.Join(err, o.place.unchanged(ctx))
	}
	return err
}

// runs collects the probe runs of a cell.
type runs struct {
	engine *Engine
	opened *Opened
	folder evidence.Folder
	total  int

	mu           sync.Mutex
	begun, ended int
	result       *evidence.CellRun
}

// all runs the probes: one after another in one guest those that leave nothing behind, in
// another one those that use up what the machine has, and beside that each of the others in a
// guest of its own.
func (r *runs) all(ctx context.Context, probes []string) error {
	checked := make(chan struct{}) // closed when the guest is known to be what the cell says
	if len(probes) == 0 || probes[0] != catalog.Facts {
		close(checked)
	}
	d := divide(probes, r.opened.Shares, r.opened.Turn)
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return r.series(within, d.shared, func() { close(checked) }) })
	for _, probes := range append(d.alone, d.taxing) {
		group.Go(func() error {
			select {
			case <-checked:
				return r.series(within, probes, nil)
			case <-within.Done():
				return within.Err()
			}
		})
	}
	return group.Wait()
}

// series runs probes in one guest when there is room for it, and stores what they observed.
// It ends if the guest is not what the cell says, and else calls checked.
func (r *runs) series(ctx context.Context, probes []string, checked func()) error {
	if len(probes) == 0 {
		return nil
	}
	return r.opened.Series(ctx, func(s *Series) error {
		for _, probe := range probes {
			if err := r.probe(ctx, s, probe); err != nil {
				return err
			}
			if probe != catalog.Facts {
				continue
			}
			if t, ran := r.transcript(probe); ran {
				if err := agrees(r.result.Cell, t); err != nil {
					return err
				}
			}
			checked()
		}
		return nil
	})
}

// transcript returns what a probe observed; false if it has not run whole.
func (r *runs) transcript(probe string) (wire.Transcript, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ran := r.result.Transcripts[probe]
	return t, ran
}

// doubted runs once more the probes that left a claim undecided. What a repeated probe saw
// replaces what it saw before; if it cannot be repeated, that stays.
func (r *runs) doubted(ctx context.Context) error {
	if r.engine.Undecided == nil || r.engine.Defect != "" || !r.opened.place.guests() {
		return nil
	}
	doubts := r.engine.Undecided(*r.result)
	for _, probe := range slices.Sorted(maps.Keys(doubts)) {
		t, observed := r.transcript(probe)
		run := r.result.Runs[probe]
		if !observed || run.Guest == evidence.Saved || probe == stage0.Probe { // no other guest would be asked
			continue
		}
		r.total++
		var seen wire.Transcript
		var repeat evidence.ProbeRun
		err := r.opened.Series(ctx, func(s *Series) (err error) {
			seen, repeat, err = r.observe(ctx, s, probe)
			return err
		})
		if ctx.Err() != nil {
			return err
		}
		earlier := append(slices.Clone(run.Earlier), &failure.Failure{Kind: failure.Infra, Message: doubts[probe]})
		earlier = append(earlier, repeat.Earlier...)
		if failed := cmp.Or(repeat.Failure, asFailure(ctx, err)); failed != nil {
			earlier = append(earlier, failed)
		} else {
			t, run = seen, repeat
		}
		run.Earlier = earlier
		if err := r.store(probe, t, run); err != nil {
			return err
		}
	}
	return nil
}

// probe runs one probe of a series, and stores what it observed.
func (r *runs) probe(ctx context.Context, s *Series, probe string) error {
	t, run, err := r.observe(ctx, s, probe)
	if err != nil {
		return err
	}
	return r.store(probe, t, run)
}

// observe runs one probe of a series.
func (r *runs) observe(ctx context.Context, s *Series, probe string) (t wire.Transcript, run evidence.ProbeRun, err error) {
	log, err := r.folder.Console(r.result.Cell.Name, probe)
	if err != nil {
		return t, run, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	shown := progress.Event{Cell: r.result.Cell.Name, Stage: progress.Probe, What: probe, Total: int64(r.total)}
	shown.Done = r.count(&r.begun)
	r.engine.Sink(shown)
	t, run, err = s.Observe(ctx, log, probe, r.engine.Defect)
	// Series run in parallel and end in any order.
	shown.Done, shown.End, shown.Err = r.count(&r.ended), true, errors.Join(err, run.Err())
	r.engine.Sink(shown)
	return t, run, err
}

// store keeps what a probe observed, also for a run that is killed before the cell ends.
func (r *runs) store(probe string, t wire.Transcript, run evidence.ProbeRun) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Runs[probe] = run
	r.result.Seconds += run.StartSeconds + run.Seconds
	fresh := map[string]wire.Transcript{}
	if run.Failure == nil {
		r.result.Transcripts[probe] = t
		fresh[probe] = t
	}
	if t, spoke := r.opened.place.early(); spoke {
		fresh[stage0.Probe] = t
	}
	part := *r.result
	r.opened.describe(&part)
	return r.folder.WritePart(part, fresh)
}

// count adds one to n and returns the sum.
func (r *runs) count(n *int) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	*n++
	return int64(*n)
}

// uname names the answer of uname -m.
const uname = "uname machine"

// agrees checks that the guest is what its cell says.
func agrees(cell matrix.Cell, t wire.Transcript) error {
	rec, err := arch.Lookup(cell.Arch)
	if err != nil {
		return err
	}
	f, err := facts.Parse(t, nil)
	if err != nil {
		return &failure.Failure{Kind: failure.Protocol, Message: fmt.Sprintf("read the facts of cell %s: %v", cell.Name, err)}
	}
	if cell.PageSize == 0 {
		cell.PageSize = f.PageSize // the cell does not say
	}
	bits := f.VABits
	if m, ok := rec.Machines[cell.Machine]; ok && m.FiveLevels {
		bits = arch.FiveLevelBits
	}
	for _, m := range []struct{ what, said, want string }{
		{"page size", fmt.Sprint(f.PageSize), fmt.Sprint(cell.PageSize)},
		{uname, f.Machine, rec.Uname},
		{"GOARCH", f.Arch, rec.GOARCH},
		{"bits of the address space", fmt.Sprint(f.VABits), fmt.Sprint(bits)},
	} {
		if m.said != m.want && (m.what != uname || cell.Host != matrix.UserMode) { // an emulator may call its machine as it likes
			return &failure.Failure{Kind: failure.Mismatch,
				Message: fmt.Sprintf("cell %s says %s %s and its guest says %s; correct the cell or its kernel", cell.Name, m.what, m.want, m.said)}
		}
	}
	return nil
}

// accelerator returns the accelerator of a guest, and why it is not a faster one.
func (e *Engine) accelerator(ctx context.Context, cfg qemu.Config) (qemu.Accel, string) {
	if cfg.Arch.GOARCH != runtime.GOARCH {
		return qemu.TCG, "the host is " + runtime.GOARCH
	}
	if cfg.Machine.FiveLevels {
		return qemu.TCG, "the machine has five levels of page tables, and the host's CPU may have four"
	}
	e.kvmOnce.Do(func() { e.kvmReason = qemu.TryKVM(ctx, cfg) })
	if e.kvmReason != "" {
		return qemu.TCG, e.kvmReason
	}
	return qemu.KVM, ""
}
