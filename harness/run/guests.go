package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

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
	"github.com/mapstack/conformance/poc/wire"
)

// factory boots the guests of one cell. Every guest is as pristine as the first.
type factory struct {
	engine   *Engine
	cell     matrix.Cell
	images   Images // nil for those of the engine
	parts    parts
	config   qemu.Config
	timeouts qemu.Timeouts
	// slow says why the accelerator is not a faster one.
	slow string
	// firmware is the file that the machine loads first, with its hash; "" where it is a
	// part of QEMU.
	firmware string

	mu    sync.Mutex
	last  evidence.Guest   // what the guest that started last said of itself
	accel qemu.Accel       // the accelerator that QEMU reports
	first *wire.Transcript // of stage 0 in the guest that was booted; nil if it observed nothing
}

// parts is everything that a cell's guest is made of.
type parts struct {
	rec      arch.Record
	machine  arch.Machine
	kernel   kernel.Image
	emulator toolbox.QEMU
	guest    guestimage.Image
}

// open gets what the guests are made of, and a snapshot if the machine can have one.
// The error may be a *failure.Failure.
func (g Guests) open(ctx context.Context, e *Engine, cell matrix.Cell, log io.Writer) (place, error) {
	f := &factory{engine: e, cell: cell, images: g.Images}
	s := &store{factory: f}
	if err := f.gather(ctx, g.Kernel); err != nil {
		return s, err
	}
	if f.parts.guest.Bare {
		return s, s.alone(ctx, log)
	}
	return s, s.save(ctx, log)
}

// alone boots one guest in which nothing but stage 0 can run, and returns why no probe can.
func (s *store) alone(ctx context.Context, log io.Writer) error {
	return again(ctx, s.note, func() error {
		return s.lend(ctx, func() error {
			g, err := s.boot(ctx, s.config, log)
			if err != nil {
				return err
			}
			return errors.Join(errors.New("an agent answers in a guest image that has none; remove the image from the cache"), g.Stop())
		})
	})
}

// gather gets kernel, emulator and guest image at the same time.
func (f *factory) gather(ctx context.Context, boots func(context.Context) (kernel.Image, error)) (err error) {
	e, p := f.engine, &f.parts
	if p.rec, err = arch.Lookup(f.cell.Arch); err != nil {
		return err
	}
	name := f.cell.Machine
	if p.rec.Supplied {
		// All parts are looked up together, so that the error lists all that are missing.
		parts, err := e.Supplies.Parts(p.rec, f.cell.Kernel.From == matrix.Given)
		if err != nil {
			return err
		}
		name = cmp.Or(parts.Machine, name)
	}
	if p.machine, err = p.rec.Machine(name); err != nil {
		return err
	}
	images := f.images
	if images == nil {
		images = e.Images
	}
	group, getting := errgroup.WithContext(ctx)
	group.Go(func() (err error) { p.kernel, err = boots(getting); return err })
	group.Go(func() (err error) { p.emulator, err = e.Emulators.Find(getting, p.rec); return err })
	group.Go(func() (err error) { p.guest, err = images.Image(getting, p.rec); return err })
	if err := group.Wait(); err != nil {
		return err
	}
	f.config = qemu.Config{Prefix: p.emulator.Argv, Arch: p.rec, Machine: p.machine, CPUs: f.cell.CPUs,
		Memory: f.cell.Memory, Kernel: p.kernel.Path, Initrd: p.guest.Path, Extra: slices.Concat(e.Params, f.cell.Params, sysctls(f.cell.Policy)), Confined: p.emulator.Confined}
	if p.machine.Disk != "" {
		f.config.Disk = p.guest.Disk
	}
	f.config.Accel, f.slow = e.accelerator(ctx, f.config)
	if name := p.machine.Firmware; name != "" {
		hash, err := p.emulator.Firmware(ctx, name)
		if err != nil {
			hash = "not known" // the error names folders of this host
		}
		f.firmware = name + ", SHA-256 " + hash
	}
	f.timeouts = qemu.TimeoutsFor(f.config.Accel, p.rec.Slowness)
	f.last = evidence.Guest{Image: p.guest.Key, Go: p.guest.Go}
	return nil
}

// sysctls returns the kernel parameters that set the sysctls of the guest's system. Kernels
// accept them since 5.8. In an older one the agent sets them.
func sysctls(policy []matrix.Setting) []arch.Param {
	var params []arch.Param
	for _, s := range policy {
		if s.Of == matrix.OfSysctl {
			params = append(params, arch.Param{Value: "sysctl." + s.Name + "=" + s.Value, Reason: "the system sets it: " + s.Source})
		}
	}
	return params
}

// lend calls run while it holds one of the host's cores and the guest's memory.
func (f *factory) lend(ctx context.Context, run func() error) error {
	return f.engine.room(ctx, int64(f.cell.Memory), run)
}

// unchanged returns nil, because no guest is used again.
func (f *factory) unchanged(context.Context) error { return nil }

func (f *factory) guests() bool { return true }

// ask does nothing: stage 0 runs in every guest.
func (f *factory) ask(context.Context) {}

// early returns what stage 0 observed in the guest that was booted for the cell. It ran
// once, before any probe was asked for.
func (f *factory) early() (wire.Transcript, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == nil {
		return wire.Transcript{}, false
	}
	return *f.first, true
}

// describe fills in what the guests are made of, and what the last one said of itself.
func (f *factory) describe(c *evidence.CellRun) {
	if f.parts.kernel.Path == "" {
		return
	}
	c.Kernel = kernelEvidence(f.parts.kernel)
	if len(f.config.Prefix) == 0 {
		return
	}
	p := f.parts
	arguments, _ := f.config.Arguments() // an error here also fails every start
	c.QEMU = &evidence.QEMU{Version: p.emulator.Version, Source: p.emulator.Source, Build: p.emulator.Build, Firmware: f.firmware,
		Machine: p.machine.Name, Params: f.config.Params(), Argv: arguments.ByHand(), AcceleratorReason: f.slow}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last.Hello.Arch == "" {
		return // no guest ever answered
	}
	guest := f.last
	c.QEMU.Accelerator, c.Guest = string(f.accel), &guest
}

// boot boots a guest.
func (f *factory) boot(ctx context.Context, cfg qemu.Config, log io.Writer) (*target.Guest, error) {
	began := progress.Event{Cell: f.cell.Name, Stage: progress.Boot, What: cfg.Machine.Name}
	f.engine.Sink(began)
	g, err := target.Boot(ctx, cfg, f.timeouts, log)
	if err != nil && f.parts.guest.Bare {
		err = f.bare(err)
	}
	began.End, began.Err = true, err
	f.engine.Sink(began)
	return g, err
}

// bare returns why a guest had stage 0 alone, and so no agent to wait for: which parts were
// missing. If not even stage 0 ran, the error stays as it is.
func (f *factory) bare(err error) error {
	var failed *failure.Failure
	if !errors.As(err, &failed) || failed.Early == nil {
		return err
	}
	parts, problem := f.engine.Supplies.Parts(f.parts.rec, f.cell.Kernel.From == matrix.Given)
	if problem == nil {
		problem = parts.Toolchainless(f.parts.rec)
	}
	return &failure.Failure{Kind: failure.Missing, Early: failed.Early,
		Message: fmt.Sprintf("stage 0 ran, and nothing else could: %v", problem)}
}

// start boots a guest and records what it said of itself.
func (f *factory) start(ctx context.Context, log io.Writer) (*target.Guest, error) {
	g, err := f.boot(ctx, f.config, log)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last.Hello, f.last.BootSeconds, f.accel = g.Hello, g.Started.Seconds(), g.Accel
	f.first = early(g)
	return g, nil
}

// early returns what stage 0 observed while a guest booted; nil if it observed nothing.
func early(g *target.Guest) *wire.Transcript {
	t, spoke := g.Early()
	if !spoke {
		return nil
	}
	return &t
}
