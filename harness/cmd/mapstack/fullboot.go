package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	engine "github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// fullBoot is the flags by which the system on --os-image is booted as it is.
type fullBoot struct {
	asked    bool
	login    string
	password string // file that holds it
	firmware string
}

func (f *fullBoot) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.asked, "full-boot", false, "boot the system on --os-image as it is, by its own boot loader, and run the probes in it; nothing is written to the image")
	cmd.Flags().StringVar(&f.login, "login", "root", "who logs in on the serial console of a full boot")
	cmd.Flags().StringVar(&f.password, "password-file", "", "file with the password of --login; none for an account without")
	cmd.Flags().StringVar(&f.firmware, "firmware", "", "firmware that a full boot starts with, such as OVMF.fd; QEMU's own without")
}

// Bounds of the machine that a whole system runs in.
const (
	bootedCPUs   = 1
	bootedMemory = 2048 // MiB
)

// connect boots the system and makes a cell of it.
func (f fullBoot) connect(ctx context.Context, bench *workbench.Bench, own given, architecture string, destructive bool, sink progress.Sink) (cell matrix.Cell, b *target.Booted, err error) {
	disk, err := intake.AsDisk(ctx, own.image)
	if err != nil {
		return cell, nil, err
	}
	password, err := f.secret()
	if err != nil {
		return cell, nil, err
	}
	scratch, err := os.MkdirTemp("", "mapstack-intake-")
	if err != nil {
		return cell, nil, fmt.Errorf("make a folder to unpack in: %w", err)
	}
	defer os.RemoveAll(scratch)
	// What cannot be read of the disk from outside does not keep it from booting.
	found, unread := intake.Open(ctx, own.image, scratch, helper(bench))
	rec, err := machineOf(ctx, found, architecture)
	if err != nil {
		return cell, nil, errors.Join(err, unread)
	}
	machine, err := rec.Machine("")
	if err != nil {
		return cell, nil, err
	}
	emulator, err := bench.Toolbox.Find(ctx, rec)
	if err != nil {
		return cell, nil, err
	}
	image, err := bench.Guests.Image(ctx, rec)
	if err != nil {
		return cell, nil, err
	}
	programs, err := bench.Guests.ProgramDisk(ctx, image)
	if err != nil {
		return cell, nil, err
	}
	accel, slow := accelerator(ctx, bench, own, found, qemu.Config{Prefix: emulator.Argv, Arch: rec, Machine: machine, CPUs: bootedCPUs, Memory: bootedMemory, Initrd: image.Path})
	path, err := filepath.Abs(own.image)
	if err != nil {
		return cell, nil, err
	}
	argv, err := qemu.Disk{Prefix: emulator.Argv, Machine: machine, Accel: accel, CPUs: bootedCPUs, Memory: bootedMemory,
		Image: path, Format: disk.Format, Programs: programs, Firmware: f.firmware}.Argv()
	if err != nil {
		return cell, nil, err
	}
	b = &target.Booted{Argv: argv, Arch: rec, Login: target.Login{User: f.login, Password: password},
		Destructive: destructive, Timeouts: qemu.TimeoutsFor(accel, rec.Slowness)}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	shown := progress.Event{Cell: filepath.Base(own.image), Stage: progress.Boot, What: machine.Name + " from the disk, to the login of " + f.login}
	sink(shown)
	said, err := b.Ask(ctx, io.Discard, `(. /etc/os-release; echo "$PRETTY_NAME"); cat /proc/1/comm; cat /sys/kernel/security/lsm`)
	shown.End, shown.Err = true, err
	sink(shown)
	if err != nil {
		return cell, b, err
	}
	if cell, err = measure(ctx, b, rec, matrix.FullBoot); err != nil {
		return cell, b, err
	}
	cell.OS = asItRuns(said)
	applied, settings := intake.Apply(found.Policy)
	for i := range settings {
		settings[i].Left = "" // the system itself applies them
	}
	cell.Policy = applied
	bench.Running = map[string]*engine.Running{cell.Name: {
		System: b, Programs: evidence.Guest{Image: image.Key, Go: image.Go},
		Kernel: &kernel.Image{Provenance: kernel.Provenance{Kind: "file", Filename: filepath.Base(own.image), SHA256: disk.SHA256, Size: disk.Size,
			Chain: []string{disk.Format, "booted as it is"}, Entries: found.Entries, Policy: settings}},
		QEMU: told(emulator, machine, argv, b, slow),
	}}
	return cell, b, nil
}

func told(emulator toolbox.QEMU, machine arch.Machine, argv []string, b *target.Booted, slow string) *evidence.QEMU {
	return &evidence.QEMU{Version: emulator.Version, Source: emulator.Source, Build: emulator.Build, Machine: machine.Name,
		Argv: argv, Accelerator: string(b.Accel()), AcceleratorReason: slow}
}

// secret reads the password.
func (f fullBoot) secret() (string, error) {
	if f.password == "" {
		return "", nil
	}
	text, err := os.ReadFile(f.password)
	if err != nil {
		return "", fmt.Errorf("read --password-file: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}

// machineOf is the architecture that a disk boots on.
func machineOf(ctx context.Context, found intake.Found, asked string) (arch.Record, error) {
	if asked != "" {
		return arch.Lookup(asked)
	}
	if found.Kernel == nil {
		return arch.Record{}, errors.New("no kernel can be read on the disk, so --arch must say what it boots on")
	}
	return kernel.Architecture(ctx, found)
}

// accelerator decides how the machine is run, and why not better.
func accelerator(ctx context.Context, bench *workbench.Bench, own given, found intake.Found, cfg qemu.Config) (qemu.Accel, string) {
	switch {
	case cfg.Arch.GOARCH != runtime.GOARCH:
		return qemu.TCG, "the host is " + runtime.GOARCH
	case found.Kernel == nil:
		return qemu.TCG, "no kernel on the disk could be read to try KVM with"
	}
	image, err := bench.Kernels.Found(ctx, filepath.Base(own.image), found, cfg.Arch)
	if err != nil {
		return qemu.TCG, "the kernel on the disk cannot be used to try KVM: " + err.Error()
	}
	cfg.Kernel = image.Path
	if reason := qemu.TryKVM(ctx, cfg); reason != "" {
		return qemu.TCG, reason
	}
	return qemu.KVM, ""
}

// asItRuns is what a system says of itself: its name, its first process and its
// security modules, a line each.
func asItRuns(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for len(lines) < 3 {
		lines = append(lines, "unknown")
	}
	return fmt.Sprintf("%.80s, booted in full (PID 1: %.20s; security modules: %.120s)", strings.TrimSpace(lines[0]), strings.TrimSpace(lines[1]), strings.TrimSpace(lines[2]))
}
