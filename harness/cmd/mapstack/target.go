package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	engine "github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/poc/catalog"
)

// aim is the flags that choose a system which runs already.
type aim struct {
	where       string // native, ssh://..., user; empty for QEMU guests
	destructive bool
}

// options turns the flag into what to connect to. goarch matters for user-mode
// emulators alone.
func (a aim) options(goarch string, env func(string) string) (target.Options, error) {
	o := target.Options{Destructive: a.destructive}
	switch {
	case a.where == string(matrix.Native):
		o.Host = matrix.Native
	case strings.HasPrefix(a.where, "ssh://"):
		o.Host, o.Address = matrix.SSH, a.where
	case a.where == string(matrix.UserMode):
		o.Host = matrix.UserMode
		if goarch == "" {
			return o, errors.New("--target user needs --arch, the architecture that is emulated")
		}
		rec, err := arch.Lookup(goarch)
		if err != nil {
			return o, err
		}
		variable := emulatorVariable(rec)
		o.Emulator = strings.Fields(env(variable))
		if len(o.Emulator) == 0 {
			path, err := exec.LookPath("qemu-" + rec.QEMU)
			if err != nil {
				return o, fmt.Errorf("find a user-mode emulator of %s: %w; install one, or set %s to its command", rec.GOARCH, err, variable)
			}
			o.Emulator = []string{path}
		}
	default:
		return o, fmt.Errorf("--target is %q; use native, ssh://user@host[:port], user, or leave it out for QEMU guests", a.where)
	}
	return o, nil
}

// connect makes a cell of a system that runs already: what it is it says itself.
func (a aim) connect(ctx context.Context, bench *workbench.Bench, goarch string) (cell matrix.Cell, h *target.Hosted, err error) {
	o, err := a.options(goarch, os.Getenv)
	if err != nil {
		return cell, nil, err
	}
	h, machine, err := target.Connect(ctx, o)
	if err != nil {
		return cell, nil, err
	}
	if o.Host == matrix.UserMode {
		machine = goarch
	}
	rec, err := arch.Lookup(machine)
	if err != nil {
		return cell, nil, fmt.Errorf("the target's uname -m: %w", err)
	}
	emulator, err := emulator(ctx, o, rec)
	if err != nil {
		return cell, nil, err
	}
	image, err := bench.Guests.Image(ctx, rec)
	if err != nil {
		return cell, nil, err
	}
	programs, err := image.Programs()
	if err != nil {
		return cell, nil, err
	}
	if err := h.Load(ctx, rec, programs); err != nil {
		return cell, nil, err
	}
	if cell, err = measure(ctx, h, rec, o.Host); err != nil {
		return cell, nil, errors.Join(err, h.Close())
	}
	running := &engine.Running{System: h, Programs: evidence.Guest{Image: image.Key, Go: image.Go}, QEMU: emulator}
	bench.Running = map[string]*engine.Running{cell.Name: running}
	return cell, h, nil
}

// emulator is what evidence says of a user-mode emulator, nil of other systems.
func emulator(ctx context.Context, o target.Options, rec arch.Record) (*evidence.QEMU, error) {
	if o.Host != matrix.UserMode {
		return nil, nil
	}
	source := "PATH"
	if os.Getenv(emulatorVariable(rec)) != "" {
		source = emulatorVariable(rec)
	}
	q, err := toolbox.UserMode(ctx, o.Emulator, source)
	if err != nil {
		return nil, err
	}
	command := strings.Join(append([]string{filepath.Base(q.Argv[0])}, q.Argv[1:]...), " ")
	return &evidence.QEMU{Version: q.Version, Source: q.Source, Build: q.Build, Accelerator: hostNames[o.Host], Argv: q.Argv, Command: command}, nil
}

// emulatorVariable names in the environment the command of an architecture's
// user-mode emulator.
func emulatorVariable(rec arch.Record) string { return strings.ToUpper(rec.GOARCH) + "_QEMU_USER" }

// measure asks the system what it is.
func measure(ctx context.Context, h engine.System, rec arch.Record, host matrix.Host) (matrix.Cell, error) {
	c := matrix.Cell{Name: string(host) + "-" + rec.GOARCH, Arch: rec.GOARCH, OS: "as it runs", Host: host}
	agent, _, err := h.Start(ctx, io.Discard)
	if err != nil {
		if _, spoke := h.Early(ctx); spoke {
			return c, nil // stage 0 says why, in the cell's evidence
		}
		return c, err
	}
	t, err := agent.Run(ctx, catalog.Facts, nil)
	if err := errors.Join(err, agent.Stop()); err != nil {
		return c, err
	}
	f, err := facts.Parse(t, nil)
	if err != nil {
		return c, fmt.Errorf("read what the target says of itself: %w", err)
	}
	c.PageSize, c.CPUs, c.Memory = f.PageSize, f.CPUs, int(f.MemTotal>>20)
	c.Kernel.Series = fmt.Sprintf("%d.%d", f.Release.Major, f.Release.Minor)
	return c, nil
}

// altered is that a system is not what it was before its probes, nil when it is.
func altered(cells []evidence.CellRun) error {
	for _, c := range cells {
		if c.Failure != nil && c.Failure.Kind == failure.Altered {
			return c.Failure
		}
	}
	return nil
}
