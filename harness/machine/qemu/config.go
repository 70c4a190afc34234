package qemu

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Accel is how QEMU executes the guest's instructions.
type Accel string

const (
	TCG Accel = "tcg"
	KVM Accel = "kvm"
)

// Config is one machine to start. It boots a kernel (Kernel and Initrd) or the boot
// loader on a disk (System), never both.
type Config struct {
	Prefix  []string // the QEMU binary, behind its loader and firmware paths if it needs them
	Arch    arch.Record
	Machine arch.Machine
	Accel   Accel
	CPUs    int
	Memory  int // MiB

	Kernel string // path of the bootable image
	Initrd string // path of the initramfs
	// Disk is the path of a file system with the same content, for machines that have
	// arch.Machine.Disk. Some of these ignore -initrd without a message. The kernel
	// uses whichever of the two it finds first.
	Disk string
	// Extra are kernel parameters that the caller asks for, beside those that every
	// guest gets.
	Extra []arch.Param
	// RAM is the file that holds the guest's memory, for Save and Load. Without one
	// the memory ends with QEMU.
	RAM string
	// Restore means that RAM is the memory of a saved guest. The machine then waits for
	// Load instead of booting. Pages are copied when they are written, so the file does
	// not change.
	Restore bool

	System       string // path of the image of the disk to boot from; nothing is written to it
	SystemFormat string // raw or qcow2
	Programs     string // path of a file system that the system gets as a read-only disk, see ProgramsSerial
	Firmware     string // path of the firmware that finds the boot loader, empty for QEMU's own
	// Temporary is the path of a folder for QEMU's temporary files, which the caller removes: what
	// a guest writes to its System. Empty for TMPDIR.
	Temporary string

	// Drives are attached beside the disks above.
	Drives []Drive

	// Confined says how QEMU is confined, see TryConfinement.
	Confined Confinement

	kvm    string     // path of the KVM device, empty for QEMU's own choice
	handed []Argument // the open files that QEMU inherits, see handover
}

// Params returns the kernel's parameters. This is the allow-list: a kernel gets no
// others, except those in Extra, which reports show. There are none for System, since
// the boot loader on the disk has its own.
func (c Config) Params() []arch.Param {
	if c.System != "" {
		return nil
	}
	params := slices.Concat(console(c.Machine).params, ending().params, initramfs(c.Initrd).params)
	if c.Machine.Disk != "" {
		params = append(params, rootDisk(c.Machine.Disk, c.Disk).params...)
	}
	return slices.Concat(params, c.Machine.Params, c.Extra)
}

// Argv returns QEMU's whole command line. It is a pure function of c.
func (c Config) Argv() ([]string, error) {
	a, err := c.Arguments()
	if err != nil {
		return nil, err
	}
	return a.Argv(), nil
}

// Arguments returns the command line as a list of arguments. Their order must not
// change without need: evidence and the keys of snapshots contain it.
func (c Config) Arguments() (Arguments, error) {
	if err := c.check(); err != nil {
		return Arguments{}, fmt.Errorf("start machine %s: %w", c.Machine.Name, err)
	}
	all := []Argument{option("-no-user-config"), option("-nodefaults"), unique("-display", property{"", "none"})}
	add := func(more ...Argument) { all = append(all, more...) }
	if c.Confined.Filter {
		add(sandbox())
	}
	add(c.handed...)
	add(ending().arguments...)
	add(unique("-machine", c.machine()...), unique("-accel", c.accel()...),
		unique("-smp", property{"", strconv.Itoa(c.CPUs)}), unique("-m", property{"", strconv.Itoa(c.Memory)}))
	add(console(c.Machine).arguments...)
	add(monitorSocket().arguments...)
	if c.System != "" {
		add(c.fromDisk()...)
	} else {
		add(c.fromKernel()...)
	}
	if c.Machine.CPU != "" {
		cpu := properties(c.Machine.CPU)
		// A system that boots from a disk may have programs that need the whole CPU.
		if c.Accel == TCG && c.System == "" {
			cpu = append(cpu, properties(c.Machine.Costly)...)
		}
		add(unique("-cpu", cpu...))
	}
	// QEMU refuses a clock of instructions with KVM. A system that boots from a disk
	// runs with a clock that follows the host's.
	if c.Machine.Icount != "" && c.Accel == TCG && c.System == "" {
		add(unique("-icount", properties(c.Machine.Icount)...))
	}
	if c.RAM != "" {
		add(savedMemory(c.RAM, c.Memory, c.Restore).arguments...)
		if c.Machine.Devices() {
			add(qtestSocket().arguments...)
		}
	}
	for _, d := range c.Drives {
		add(d.device().arguments...)
	}
	a, err := newArguments(c.Prefix, all)
	if err != nil {
		return a, fmt.Errorf("start machine %s: %w", c.Machine.Name, err)
	}
	return a, nil
}

// fromKernel boots a kernel without firmware or boot loader.
func (c Config) fromKernel() []Argument {
	parameters := Argument{option: "-append", kind: asWords}
	for _, p := range c.Params() {
		parameters.parts = append(parameters.parts, property{"", p.Value})
	}
	all := []Argument{file("-kernel", c.Kernel)}
	all = append(all, initramfs(c.Initrd).arguments...)
	all = append(all, parameters)
	if c.Machine.Disk != "" {
		all = append(all, rootDisk(c.Machine.Disk, c.Disk).arguments...)
	}
	return all
}

// fromDisk boots what is on a disk, by firmware and the disk's boot loader.
func (c Config) fromDisk() []Argument {
	all := slices.Concat(systemDisk(c.System, c.SystemFormat).arguments, programsDisk(c.Programs).arguments)
	if c.Firmware != "" {
		all = append(all, file("-bios", c.Firmware))
	}
	return all
}

// check returns an error for a machine that lacks a part, or has parts that exclude
// each other.
func (c Config) check() error {
	direct, fromDisk := c.Kernel != "" || c.Initrd != "", c.System != ""
	switch {
	case len(c.Prefix) == 0:
		return errors.New("no QEMU is given")
	case c.CPUs < 1 || c.Memory < 1:
		return fmt.Errorf("it has %d CPUs and %d MiB of memory, and needs some of both", c.CPUs, c.Memory)
	case c.Accel != TCG && c.Accel != KVM:
		return fmt.Errorf("unknown accelerator %q; use %s or %s", c.Accel, TCG, KVM)
	case direct && fromDisk:
		return errors.New("it cannot boot both a kernel and a disk; give one of them")
	case fromDisk:
		return c.checkFromDisk()
	}
	return c.checkDirect()
}

func (c Config) checkDirect() error {
	switch {
	case c.Kernel == "" || c.Initrd == "":
		return errors.New("it needs a kernel with an initramfs, or a disk to boot from")
	case c.Programs != "" || c.Firmware != "" || c.SystemFormat != "":
		return errors.New("firmware and the disk with the programs belong to a boot from a disk, and a kernel is given")
	case c.Machine.Disk == "" && c.Disk != "":
		return errors.New("it has no disk for the guest image, and one is given")
	case c.Machine.Disk != "" && c.Disk == "":
		return errors.New("it needs the guest image as a disk too, and none is given")
	case c.Restore && c.RAM == "":
		return errors.New("a guest is to be restored, and no file with its memory is given")
	}
	return nil
}

func (c Config) checkFromDisk() error {
	switch {
	case c.SystemFormat == "" || c.Programs == "":
		return errors.New("a boot from a disk needs the format of the disk, and a disk with the programs")
	case c.Disk != "" || len(c.Extra) > 0:
		return errors.New("a boot from a disk takes no other root disk and no kernel parameters: the disk's own boot loader decides")
	case c.RAM != "" || c.Restore:
		return errors.New("a system that boots from a disk cannot be saved or restored")
	}
	return nil
}

// accel is the value of -accel. Under TCG the guest's CPUs take turns on one
// thread, since a guest has one of the host's cores. With a thread each, a CPU that
// waits for a core may hold a spin lock, and another CPU spins on it meanwhile
// (measured for the limits probe: 10.2 s of the host's time against 5.8 s).
func (c Config) accel() []property {
	if c.Accel == TCG {
		return []property{{"", string(TCG)}, {"thread", "single"}}
	}
	parts := []property{{"", string(c.Accel)}}
	if c.kvm != "" {
		parts = append(parts, property{"device", c.kvm})
	}
	return parts
}

// machine is the value of -machine.
func (c Config) machine() []property {
	parts := append([]property{{"", c.Machine.Name}}, properties(c.Machine.Options)...)
	if c.RAM != "" {
		parts = append(parts, property{"memory-backend", ram})
	}
	return parts
}
