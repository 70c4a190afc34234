package subject

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/local"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// FullBoot is a whole system that is booted from the image of its disk, by its own boot
// loader. Nothing is written to the image.
type FullBoot struct {
	Image string
	Arch  string // by any of its names; "" for the architecture of the kernel on the disk
	Login string // the user who logs in on the serial console
	// PasswordFile holds the password of Login; "" for an account without one.
	PasswordFile string
	// Firmware is the file of the firmware that the machine starts with; "" for QEMU's own.
	Firmware string
	// Destructive also runs probes that need the machine for themselves.
	Destructive bool
	// Of Own, the name, the size of the machine and the programs count. OS names the system
	// in reports, before what it says of itself.
	Own
	OS string
}

// The size of the machine that a whole system runs in.
const (
	bootedCPUs   = 1
	bootedMemory = 2048 // MiB
)

// Bind boots the system up to the login, and makes a cell of what the system says of itself.
func (f FullBoot) Bind(ctx context.Context, bench *workbench.Bench) (bound Bound, err error) {
	disk, err := intake.AsDisk(ctx, f.Image)
	if err != nil {
		return Bound{}, err
	}
	password, err := f.password()
	if err != nil {
		return Bound{}, err
	}
	scratch, release, err := bench.Cache.Scratch()
	if err != nil {
		return Bound{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	// A disk that cannot be read from outside may boot all the same.
	found, unread := opener(bench).Open(ctx, f.Image, scratch)
	rec, err := f.architecture(ctx, bench, found)
	if err != nil {
		return Bound{}, errors.Join(err, unread)
	}
	m, err := f.machine(ctx, bench, rec, disk, found)
	if err != nil {
		return Bound{}, err
	}
	temporary, remove, err := bench.Cache.Scratch()
	if err != nil {
		return Bound{}, err
	}
	m.config.Temporary = temporary
	system := &target.Booted{Machine: m.config, Arch: rec, Login: target.Login{User: f.Login, Password: password},
		Destructive: f.Destructive, Timeouts: qemu.TimeoutsFor(m.config.Accel, rec.Slowness)}
	cell, err := f.boot(ctx, bench, system, m)
	if err != nil {
		return Bound{}, errors.Join(err, system.Close(), remove())
	}
	applied, settings := intake.Apply(found.Policy)
	cell.Policy = applied
	provenance := evidence.Provenance{Kind: "file", Filename: cmp.Or(f.Called, filepath.Base(f.Image)), SHA256: disk.SHA256, Size: disk.Size,
		Chain: []string{disk.Format, "booted as it is"}, Entries: found.Entries}
	for _, s := range settings {
		s.Left = "" // the system itself applies them
		provenance.Policy = append(provenance.Policy, evidence.PolicyLine(s))
	}
	m.evidence.Accelerator = string(system.Accel())
	running := run.Running{System: system, Programs: m.programs, Kernel: &evidence.Kernel{Provenance: provenance}, QEMU: m.evidence}
	return Bound{run.Bound{Cell: cell, Where: running}, system.Unchanged, func() error { return errors.Join(system.Close(), remove()) }}, nil
}

// booted is the machine that a system is booted on.
type booted struct {
	name     string
	config   qemu.Config
	programs evidence.Guest
	evidence *evidence.QEMU
}

// machine gets the emulator and the disk with the programs, decides on the accelerator, and
// makes QEMU's command line.
func (f FullBoot) machine(ctx context.Context, bench *workbench.Bench, rec arch.Record, disk intake.Disk, found intake.Found) (m booted, err error) {
	machine, err := f.board(ctx, bench, rec, found)
	if err != nil {
		return m, err
	}
	emulator, err := bench.Toolbox.Find(ctx, rec)
	if err != nil {
		return m, err
	}
	firmware, err := f.firmware(ctx, emulator, machine, rec)
	if err != nil {
		return m, err
	}
	builder := bench.Guests
	if f.Programs != "" {
		builder = bench.Programs(f.Programs)
	}
	image, err := builder.Image(ctx, rec)
	if err != nil {
		return m, err
	}
	programs, err := builder.ProgramDisk(ctx, image)
	if err != nil {
		return m, err
	}
	cpus, memory := cmp.Or(f.CPUs, bootedCPUs), cmp.Or(f.MemoryMiB, bootedMemory)
	accel, slow := f.accelerator(ctx, bench, found, qemu.Config{Prefix: emulator.Argv, Arch: rec, Machine: machine, CPUs: cpus, Memory: memory, Initrd: image.Path, Confined: emulator.Confined})
	path, err := filepath.Abs(f.Image)
	if err != nil {
		return m, err
	}
	cfg := qemu.Config{Prefix: emulator.Argv, Arch: rec, Machine: machine, Accel: accel, CPUs: cpus, Memory: memory,
		System: path, SystemFormat: disk.Format, Programs: programs, Firmware: f.Firmware, Confined: emulator.Confined}
	arguments, err := cfg.Arguments()
	if err != nil {
		return m, err
	}
	return booted{name: machine.Name, config: cfg, programs: evidence.Guest{Image: image.Key, Go: image.Go},
		evidence: &evidence.QEMU{Version: emulator.Version, Source: emulator.Source, Build: emulator.Build, Firmware: firmware, Machine: machine.Name,
			Argv: arguments.ByHand(), AcceleratorReason: slow}}, nil
}

// maxPassword bounds what is read of the password's file, in bytes.
const maxPassword = 4 << 10

// boot boots the system and makes a cell of what it says of itself.
func (f FullBoot) boot(ctx context.Context, bench *workbench.Bench, system *target.Booted, m booted) (matrix.Cell, error) {
	shown := progress.Event{Cell: cmp.Or(f.Name, filepath.Base(f.Image)), Stage: progress.Boot, What: m.name + " from the disk, to the login of " + f.Login}
	bench.Sink(shown)
	said, err := system.Ask(ctx, io.Discard, `(. /etc/os-release; echo "$PRETTY_NAME"); cat /proc/1/comm; cat /sys/kernel/security/lsm`)
	shown.End, shown.Err = true, err
	bench.Sink(shown)
	if err != nil {
		return matrix.Cell{}, err
	}
	return f.measure(ctx, system, system.Arch, matrix.FullBoot, asItRuns(said), f.OS)
}

// password reads the password of the login.
func (f FullBoot) password() (string, error) {
	if f.PasswordFile == "" {
		return "", nil
	}
	file, err := os.Open(f.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read --password-file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("read --password-file: %w", err)
	}
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o077 != 0 {
		return "", fmt.Errorf("read --password-file: others may read %s (mode %v); chmod 600 it", f.PasswordFile, mode.Perm())
	}
	text, err := io.ReadAll(io.LimitReader(file, maxPassword))
	if err != nil {
		return "", fmt.Errorf("read --password-file: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}

// architecture returns the architecture that the disk boots on.
func (f FullBoot) architecture(ctx context.Context, bench *workbench.Bench, found intake.Found) (arch.Record, error) {
	if f.Arch != "" {
		return arch.Lookup(f.Arch)
	}
	if found.Kernel == nil {
		return arch.Record{}, fmt.Errorf("no kernel can be read on %s; name the architecture that it boots on with --arch", f.Image)
	}
	rec, _, err := kernel.Architecture(ctx, bench.Kernels.Quarantine, found)
	return rec, err
}

// firmware returns the files that the machine boots a disk by, with their hashes; "" where they
// are a part of QEMU, or one is named by Firmware. A machine without them would end at once.
func (f FullBoot) firmware(ctx context.Context, emulator toolbox.QEMU, machine arch.Machine, rec arch.Record) (string, error) {
	if machine.DiskFirmware == "" {
		return "", nil
	}
	folder := local.Variable(rec, "FIRMWARE")
	if f.Firmware != "" {
		return "", fmt.Errorf("machine %s takes no firmware by --firmware: leave that out, and put %s into the folder that %s names", machine.Name, machine.DiskFirmware, folder)
	}
	var files []string
	for _, name := range []string{machine.Firmware, machine.DiskFirmware} {
		hash, err := emulator.Firmware(ctx, name)
		if err != nil {
			return "", fmt.Errorf("machine %s boots a disk by the firmware %s and %s; put both into one folder and set %s to it: %w", machine.Name, machine.Firmware, machine.DiskFirmware, folder, err)
		}
		files = append(files, name+", SHA-256 "+hash)
	}
	return strings.Join(files, "; "), nil
}

// board returns the machine that boots a system: the one that the owner of the emulator names,
// else the usual one, or the one for kernels as old as that on the disk. Every other machine is
// for kernels that no firmware starts.
func (f FullBoot) board(ctx context.Context, bench *workbench.Bench, rec arch.Record, found intake.Found) (arch.Machine, error) {
	if found.Kernel != nil {
		if _, name, err := kernel.Architecture(ctx, bench.Kernels.Quarantine, found); err == nil && rec.Machines[name].Before != (release.Release{}) {
			return rec.Machine(name)
		}
	}
	if rec.Supplied {
		parts, err := bench.Parts(rec, true)
		if err != nil {
			return arch.Machine{}, err
		}
		return rec.Machine(parts.Machine)
	}
	return rec.Machine("")
}

// accelerator returns the accelerator of the machine, and why it is not a faster one.
func (f FullBoot) accelerator(ctx context.Context, bench *workbench.Bench, found intake.Found, cfg qemu.Config) (qemu.Accel, string) {
	switch {
	case cfg.Arch.GOARCH != runtime.GOARCH:
		return qemu.TCG, "the host is " + runtime.GOARCH
	case found.Kernel == nil:
		return qemu.TCG, "no kernel on the disk could be read to try KVM with"
	}
	image, err := bench.Kernels.Found(ctx, filepath.Base(f.Image), found, cfg.Arch)
	if err != nil {
		return qemu.TCG, "the kernel on the disk cannot be used to try KVM: " + err.Error()
	}
	cfg.Kernel = image.Path
	if reason := qemu.TryKVM(ctx, cfg); reason != "" {
		return qemu.TCG, reason
	}
	return qemu.KVM, ""
}

// asItRuns describes a system by three lines that it printed: its name, its first process and
// its security modules.
func asItRuns(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for len(lines) < 3 {
		lines = append(lines, "unknown")
	}
	return fmt.Sprintf("%.80s, booted in full (PID 1: %.20s; security modules: %.120s)", strings.TrimSpace(lines[0]), strings.TrimSpace(lines[1]), strings.TrimSpace(lines[2]))
}
