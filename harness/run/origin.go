package run

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/guest/guestimage"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/kernel"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// Origin is where the guests of a cell come from: the snapshot of one that was
// booted, or a boot each. Every guest is as pristine as the first.
type Origin struct {
	engine *Engine
	cell   matrix.Cell
	parts  parts
	config qemu.Config
	// running is the system that runs already, nil when guests are started.
	running  *Running
	timeouts qemu.Timeouts
	// slow is why nothing faster executes the guest.
	slow string

	mu       sync.Mutex
	snapshot *snapshot // nil when guests are booted
	unsaved  string    // why they are
	guest    evidence.Guest
	accel    qemu.Accel       // what QEMU says it uses
	early    *wire.Transcript // of stage 0 in the guest that was booted, nil for none
}

// parts is everything a cell's guest is made of.
type parts struct {
	rec      arch.Record
	machine  arch.Machine
	kernel   kernel.Image
	emulator toolbox.QEMU
	guest    guestimage.Image
}

// Open gets what a cell's guests are made of, and a snapshot where the machine
// can have one. What that guest wrote to its console when it booted goes to log.
// The error may be a *failure.Failure. An Origin is safe for concurrent use.
func (e *Engine) Open(ctx context.Context, cell matrix.Cell, log io.Writer) (*Origin, error) {
	o := &Origin{engine: e, cell: cell}
	if t, ok := e.Running[cell.Name]; ok {
		o.running, o.guest = t, t.Programs
		return o, nil
	}
	if err := o.gather(ctx); err != nil {
		return o, err
	}
	return o, o.save(ctx, log)
}

// gather gets kernel, emulator and guest image at the same time.
func (o *Origin) gather(ctx context.Context) (err error) {
	e, p := o.engine, &o.parts
	if p.rec, err = arch.Lookup(o.cell.Arch); err != nil {
		return err
	}
	name := o.cell.Machine
	if p.rec.Supplied {
		// Asked at once, so that everything that is missing is told at once.
		parts, err := e.Supplies.Parts(p.rec)
		if err != nil {
			return err
		}
		name = cmp.Or(parts.Machine, name)
	}
	if p.machine, err = p.rec.Machine(name); err != nil {
		return err
	}
	group, getting := errgroup.WithContext(ctx)
	group.Go(func() (err error) { p.kernel, err = e.Kernels.Image(getting, o.cell); return err })
	group.Go(func() (err error) { p.emulator, err = e.Emulators.Find(getting, p.rec); return err })
	group.Go(func() (err error) { p.guest, err = e.Guests.Image(getting, p.rec); return err })
	if err := group.Wait(); err != nil {
		return err
	}
	o.config = qemu.Config{Prefix: p.emulator.Argv, Arch: p.rec, Machine: p.machine, CPUs: o.cell.CPUs,
		Memory: o.cell.Memory, Kernel: p.kernel.Path, Initrd: p.guest.Path, Extra: slices.Concat(e.Params, sysctls(o.cell.Policy))}
	if p.machine.Disk != "" {
		o.config.Disk = p.guest.Disk
	}
	o.config.Accel, o.slow = e.accelerator(ctx, o.config)
	o.timeouts = qemu.TimeoutsFor(o.config.Accel, p.rec.Slowness)
	o.guest = evidence.Guest{Image: p.guest.Key, Go: p.guest.Go}
	return nil
}

// sysctls are the kernel parameters by which a guest gets what its system sets: the
// kernel takes them since 5.8, and the agent for an older one.
func sysctls(policy []matrix.Setting) []arch.Param {
	var params []arch.Param
	for _, s := range policy {
		if s.Of == matrix.OfSysctl {
			params = append(params, arch.Param{Value: "sysctl." + s.Name + "=" + s.Value, Reason: "the system sets it: " + s.Source})
		}
	}
	return params
}

// describe fills in what is known of the cell, also after an error of Open.
func (o *Origin) describe(c *evidence.CellRun) {
	if o.running != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		c.Guest, c.Kernel, c.QEMU = &o.guest, o.running.Kernel, o.running.QEMU
		return
	}
	if o.parts.kernel.Path == "" {
		return
	}
	c.Kernel = kernelEvidence(o.parts.kernel)
	if len(o.config.Prefix) == 0 {
		return
	}
	p := o.parts
	argv, _ := o.config.Argv() // what is wrong with it ends every start
	c.QEMU = &evidence.QEMU{Version: p.emulator.Version, Source: p.emulator.Source, Build: p.emulator.Build,
		Machine: p.machine.Name, Params: o.config.Params(), Argv: argv, AcceleratorReason: o.slow}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.guest.Hello.Arch == "" {
		return // none ever answered
	}
	guest := o.guest
	guest.BootReason = o.unsaved
	c.QEMU.Accelerator, c.Guest = string(o.accel), &guest
}

// snapshot is a guest that was booted, said hello, and was stopped.
type snapshot struct {
	dir string
	key string
	snapshotRecord
}

// snapshotRecord is what a snapshot's folder says of the guest.
type snapshotRecord struct {
	Hello       wire.Hello `json:"hello"`
	Accel       qemu.Accel `json:"accel"`
	BootSeconds float64    `json:"bootSeconds"`
	// Early is what stage 0 observed while the guest booted, nil for nothing.
	Early *wire.Transcript `json:"early,omitempty"`
}

// Files of a snapshot.
const (
	ramFile     = "ram"
	stateFile   = "state"
	recordFile  = "snapshot.json"
	consoleFile = "console.log"
)

// snapshotKind is the cache's name for snapshots, with the version of their files.
const snapshotKind = "snapshot-2"

// unsaveable is why a cell's guests are booted, "" when they are restored.
func (o *Origin) unsaveable() string {
	switch {
	case o.engine.Snapshots == nil || o.engine.Fresh:
		return "asked for"
	case o.config.Accel != qemu.TCG:
		return "a guest that was saved under KVM belongs to the CPU it ran on"
	case o.config.Machine.BootOnly != "":
		return o.config.Machine.BootOnly
	}
	return ""
}

// save finds the cell's snapshot, or boots a guest and makes one.
func (o *Origin) save(ctx context.Context, log io.Writer) error {
	if o.unsaved = o.unsaveable(); o.unsaved != "" {
		return nil
	}
	key, err := o.key()
	if err != nil {
		return err
	}
	made := false
	dir, err := o.engine.Snapshots.Dir(ctx, snapshotKind, key, func(ctx context.Context, dir string) error {
		made = true
		return o.engine.lend(ctx, o.cell, func() error { return o.make(ctx, dir, log) })
	})
	var failed *failure.Failure
	switch {
	// A QEMU that fails may lack the disk for a snapshot: a boot will tell.
	case ctx.Err() != nil || errors.As(err, &failed) && failed.Kind != failure.Infra:
		return err
	case err != nil:
		o.distrust(fmt.Errorf("the booted guest could not be kept: %w", err))
		return nil
	}
	s := &snapshot{dir: dir, key: key}
	if err := s.read(); err != nil {
		o.distrust(err)
		return nil
	}
	if !made {
		if err := s.copyConsole(log); err != nil {
			return err
		}
	}
	o.snapshot = s
	o.guest.Hello, o.guest.BootSeconds, o.guest.Snapshot, o.accel = s.Hello, s.BootSeconds, key, s.Accel
	o.early = s.Early
	return nil
}

// key changes with everything that a booted guest is made of.
func (o *Origin) key() (string, error) {
	argv, err := o.config.Argv()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(struct {
		QEMU, Kernel, Guest string
		Argv                []string
		Unsaved             []arch.Register
		Protocol            int
	}{o.parts.emulator.Build, o.parts.kernel.ImageSHA256, o.parts.guest.Key, argv, o.config.Machine.Unsaved, wire.Protocol}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// make boots a guest and writes its snapshot to dir.
func (o *Origin) make(ctx context.Context, dir string, log io.Writer) (err error) {
	console, err := os.Create(filepath.Join(dir, consoleFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, console.Close()) }()
	cfg := o.config
	cfg.RAM = filepath.Join(dir, ramFile)
	g, err := o.boot(ctx, cfg, io.MultiWriter(console, log))
	if err != nil {
		return err
	}
	if err := g.Save(ctx, filepath.Join(dir, stateFile)); err != nil {
		return err
	}
	record, err := json.Marshal(snapshotRecord{g.Hello, g.Accel, g.Started.Seconds(), early(g)})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, recordFile), record, 0o644)
}

func (s *snapshot) read() error {
	b, err := os.ReadFile(filepath.Join(s.dir, recordFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &s.snapshotRecord); err != nil {
		return fmt.Errorf("%s: %w", recordFile, err)
	}
	return nil
}

// copyConsole writes what the guest said while it booted.
func (s *snapshot) copyConsole(log io.Writer) error {
	f, err := os.Open(filepath.Join(s.dir, consoleFile))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(log, f)
	return err
}

// distrust gives the snapshot up: guests are booted from now on.
func (o *Origin) distrust(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unsaved != "" {
		return // another probe's guest was first to find out
	}
	o.snapshot, o.unsaved = nil, err.Error()
	o.engine.Sink(progress.Event{Cell: o.cell.Name, Stage: progress.Warning, End: true,
		What: fmt.Sprintf("cell %s boots for every probe: %v", o.cell.Name, err)})
}

// boot starts a guest afresh.
func (o *Origin) boot(ctx context.Context, cfg qemu.Config, log io.Writer) (*target.Guest, error) {
	began := progress.Event{Cell: o.cell.Name, Stage: progress.Boot, What: cfg.Machine.Name}
	o.engine.Sink(began)
	g, err := target.Boot(ctx, cfg, o.timeouts, log)
	if err != nil && o.parts.guest.Bare {
		err = o.bare(err)
	}
	began.End, began.Err = true, err
	o.engine.Sink(began)
	return g, err
}

// Start gives a pristine guest, or an agent in the system that runs already, and
// says how it was had.
func (o *Origin) Start(ctx context.Context, log io.Writer) (target.Agent, string, error) {
	if o.running != nil {
		a, how, err := o.running.Start(ctx, log)
		if err == nil {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.guest.Hello, _ = a.Greeting()
		}
		return a, how, err
	}
	g, how, err := o.start(ctx, log)
	if err != nil {
		return nil, how, err // and no nil of its type
	}
	return g, how, nil
}

// bare says of a guest that had stage 0 alone, and therefore no agent to wait for,
// what was missing. A guest that stage 0 did not run in failed by itself.
func (o *Origin) bare(err error) error {
	var failed *failure.Failure
	if !errors.As(err, &failed) || failed.Early == nil {
		return err
	}
	parts, problem := o.engine.Supplies.Parts(o.parts.rec)
	if problem == nil {
		problem = parts.Toolchainless(o.parts.rec)
	}
	return &failure.Failure{Kind: failure.Missing, Early: failed.Early,
		Message: fmt.Sprintf("stage 0 ran, and nothing else could: %v", problem)}
}

// start gives a pristine guest and says how it was had. A snapshot that cannot
// be restored costs a boot, and is not tried again.
func (o *Origin) start(ctx context.Context, log io.Writer) (*target.Guest, string, error) {
	o.mu.Lock()
	s := o.snapshot
	o.mu.Unlock()
	if s != nil {
		cfg := o.config
		cfg.RAM, cfg.Restore = filepath.Join(s.dir, ramFile), true
		g, err := target.Restore(ctx, cfg, filepath.Join(s.dir, stateFile), s.Hello, o.timeouts, log)
		if err == nil || ctx.Err() != nil {
			return g, evidence.Restored, err
		}
		// The next run makes another: this one would cost it the same wait.
		o.distrust(errors.Join(err, o.engine.Snapshots.Forget(ctx, snapshotKind, s.key)))
	}
	g, err := o.boot(ctx, o.config, log)
	if err != nil {
		return nil, evidence.Booted, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.guest.Hello, o.guest.BootSeconds, o.accel = g.Hello, g.Started.Seconds(), g.Accel
	o.early = early(g)
	return g, evidence.Booted, nil
}

// With lets use have a guest that nothing ran in, and ends it. What it writes to
// its console goes to log. An error means that there was no guest; what use met
// is in the run.
func (o *Origin) With(ctx context.Context, log io.Writer, use func(target.Agent) error) (run evidence.ProbeRun, err error) {
	err = o.engine.lend(ctx, o.cell, func() error {
		g, how, err := o.Start(ctx, log)
		if err != nil {
			return err
		}
		_, took := g.Greeting()
		run.Guest, run.StartSeconds = how, took.Seconds()
		began := time.Now()
		err = use(g)
		// A failed guest is gone already; why it failed is what counts.
		if stopErr := g.Stop(); err == nil && stopErr != nil {
			return stopErr
		}
		run.Seconds = time.Since(began).Seconds()
		run.CPUSeconds, run.ResidentBytes = g.Usage()
		if err != nil {
			run.Failure = asFailure(ctx, err)
		}
		return nil
	})
	if err == nil && ctx.Err() != nil {
		err, run.Failure = run.Err(), nil // the run of all cells was stopped, not this probe's
	}
	return run, err
}

// Observe runs one probe, below a defect model unless defect is empty, in a
// guest of its own. The transcript is filed under the probe's own name; a run
// that failed has none.
func (o *Origin) Observe(ctx context.Context, log io.Writer, probe, defect string) (wire.Transcript, evidence.ProbeRun, error) {
	if probe == stage0.Probe {
		t, run := o.earlier()
		return t, run, nil
	}
	var t wire.Transcript
	run, err := o.With(ctx, log, func(g target.Agent) (err error) {
		t, err = observe(ctx, g, probe, defect, o.cell.Policy)
		return err
	})
	return t, run, err
}
