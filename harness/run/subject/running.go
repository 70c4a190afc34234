package subject

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// Running is a system that runs already: this one, one that ssh reaches, or a user-mode
// emulator on this one.
type Running struct {
	// Target is "native", "ssh://user@host[:port]" or "user".
	Target string
	// Arch is the architecture that a user-mode emulator emulates, by any of its names;
	// "" for the other targets, which say it themselves.
	Arch string
	// Destructive also runs probes that can disrupt other users of the target.
	Destructive bool
	// Of Own, the name and the programs count. OS names the system in reports.
	Own
	OS string
}

// Check returns what is wrong with the name of the target and its architecture; nil if that can be
// tried. It looks for nothing on this machine.
func (r Running) Check() error {
	switch {
	case r.Target == string(matrix.UserMode) && r.Arch == "":
		return errors.New("--target user needs --arch, the architecture to emulate")
	case r.Target == string(matrix.UserMode):
		_, err := arch.Lookup(r.Arch)
		return err
	case r.Target == string(matrix.Native), strings.HasPrefix(r.Target, "ssh://"):
		return nil
	}
	return fmt.Errorf("--target is %q; use native, ssh://user@host[:port], user, or leave it out for QEMU guests", r.Target)
}

// options returns what to connect to. It looks for a user-mode emulator in the environment,
// and then in PATH.
func (r Running) options(env func(string) string) (target.Options, error) {
	o := target.Options{Destructive: r.Destructive}
	if err := r.Check(); err != nil {
		return o, err
	}
	switch {
	case r.Target == string(matrix.Native):
		o.Host = matrix.Native
	case strings.HasPrefix(r.Target, "ssh://"):
		o.Host, o.Address = matrix.SSH, r.Target
	case r.Target == string(matrix.UserMode):
		o.Host = matrix.UserMode
		rec, err := arch.Lookup(r.Arch)
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
	}
	return o, nil
}

// Bind connects to the system, copies the programs there, and makes a cell of what the system
// says of itself.
func (r Running) Bind(ctx context.Context, bench *workbench.Bench) (Bound, error) {
	o, err := r.options(bench.Getenv)
	if err != nil {
		return Bound{}, err
	}
	system, machine, err := target.Connect(ctx, o)
	if err != nil {
		return Bound{}, err
	}
	b, err := r.load(ctx, bench, o, system, machine)
	if err != nil {
		return Bound{}, errors.Join(err, system.Close())
	}
	return b, nil
}

// load makes the connected system ready for probes. machine is its uname -m.
func (r Running) load(ctx context.Context, bench *workbench.Bench, o target.Options, system *target.Hosted, machine string) (Bound, error) {
	if o.Host == matrix.UserMode {
		machine = r.Arch
	}
	rec, err := arch.Lookup(machine)
	if err != nil {
		return Bound{}, fmt.Errorf("the target's uname -m: %w", err)
	}
	emulator, err := emulated(ctx, bench, o, rec)
	if err != nil {
		return Bound{}, err
	}
	if want, err := arch.Lookup(r.Arch); r.Arch != "" && (err != nil || want.GOARCH != rec.GOARCH) {
		return Bound{}, errors.Join(err, fmt.Errorf("the target is %s, and arch says %s", rec.GOARCH, r.Arch))
	}
	builder := bench.Guests
	if r.Programs != "" {
		builder = bench.Programs(r.Programs)
	}
	image, err := builder.Image(ctx, rec)
	if err != nil {
		return Bound{}, err
	}
	programs, err := image.Programs()
	if err != nil {
		return Bound{}, err
	}
	if err := system.Load(ctx, rec, programs); err != nil {
		return Bound{}, err
	}
	cell, err := r.measure(ctx, system, rec, o.Host, "as it runs", r.OS)
	if err != nil {
		return Bound{}, err
	}
	running := run.Running{System: system, Programs: evidence.Guest{Image: image.Key, Go: image.Go}, QEMU: emulator}
	return Bound{run.Bound{Cell: cell, Where: running}, system.Unchanged, system.Close}, nil
}

// emulated returns what evidence says about a user-mode emulator; nil for other systems.
func emulated(ctx context.Context, bench *workbench.Bench, o target.Options, rec arch.Record) (*evidence.QEMU, error) {
	if o.Host != matrix.UserMode {
		return nil, nil
	}
	source := "PATH"
	if bench.Getenv(emulatorVariable(rec)) != "" {
		source = emulatorVariable(rec)
	}
	q, err := toolbox.UserMode(ctx, o.Emulator, source)
	if err != nil {
		return nil, err
	}
	command := strings.Join(append([]string{filepath.Base(q.Argv[0])}, q.Argv[1:]...), " ")
	return &evidence.QEMU{Version: q.Version, Source: q.Source, Build: q.Build, Accelerator: "user-mode", Argv: q.Argv, Command: command}, nil
}

// emulatorVariable returns the name of the environment variable with the command of an
// architecture's user-mode emulator.
func emulatorVariable(rec arch.Record) string { return strings.ToUpper(rec.GOARCH) + "_QEMU_USER" }
