package qemu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Accel is how QEMU executes the guest's instructions.
type Accel string

const (
	TCG Accel = "tcg"
	KVM Accel = "kvm"
)

// Config is one machine to start.
type Config struct {
	Prefix  []string // the QEMU binary, behind its loader and firmware paths if it needs them
	Arch    arch.Record
	Machine arch.Machine
	Accel   Accel
	CPUs    int
	Memory  int    // MiB
	Kernel  string // path of the bootable image
	Initrd  string // path of the initramfs
	// Disk is the path of the same as a file system, for machines that have
	// arch.Machine.Disk. The kernel takes whichever it is given first: some
	// machines leave -initrd aside without a word.
	Disk string

	// Extra are kernel parameters that the caller asks for, beside those that every
	// guest gets.
	Extra []arch.Param
	// RAM is the file that holds the guest's memory, for Save and Load; empty
	// for memory that ends with QEMU.
	RAM string
	// Restore is whether RAM is that of a saved guest: its pages are copied when
	// they are written, so that the file stays as it is, and the guest waits for
	// Load instead of booting.
	Restore bool
}

// common are the kernel parameters that every guest gets.
var common = []arch.Param{
	{Value: "panic=-1", Reason: "a dead kernel reboots at once, and -no-reboot turns that into QEMU's exit"},
	{Value: "oops=panic", Reason: "a kernel that oopsed proves nothing any more"},
	{Value: "rdinit=/init", Reason: "the agent in the initramfs is PID 1"},
}

// disk are the parameters of a machine that may not load an initramfs.
var disk = []arch.Param{
	{Value: "root=/dev/vda", Reason: "the guest image is a disk too, where the machine does not load an initramfs"},
	{Value: "rootfstype=ext4", Reason: "the disk is an ext4 file system"},
	{Value: "ro", Reason: "nothing writes to the disk"},
	{Value: "init=/init", Reason: "the agent on the disk is PID 1"},
}

// Params returns the kernel's parameters. This is the allow-list: nothing else
// reaches a command line but what the caller asks for, which reports say.
func (c Config) Params() []arch.Param {
	params := []arch.Param{{
		Value:  "console=" + c.Machine.Console,
		Reason: "the platform console is the one channel every kernel has built in",
	}}
	params = append(params, common...)
	if c.Machine.Disk != "" {
		params = append(params, disk...)
	}
	return slices.Concat(params, c.Machine.Params, c.Extra)
}

// Argv returns QEMU's whole command line. It is a pure function of c.
func (c Config) Argv() ([]string, error) {
	if len(c.Prefix) == 0 || c.Kernel == "" || c.Initrd == "" || (c.Machine.Disk == "") != (c.Disk == "") || c.CPUs < 1 || c.Memory < 1 {
		return nil, fmt.Errorf("machine %s needs a QEMU, a kernel, an initramfs, a disk exactly where it has one, CPUs and memory", c.Machine.Name)
	}
	var words []string
	for _, p := range c.Params() {
		if strings.ContainsAny(p.Value, " \t\n\"") {
			return nil, fmt.Errorf("kernel parameter %q has a character that splits it", p.Value)
		}
		words = append(words, p.Value)
	}
	for _, path := range []string{c.Kernel, c.Initrd, c.Disk, c.RAM} {
		if strings.Contains(path, ",") {
			// QEMU reads a comma as the end of an option's value.
			return nil, fmt.Errorf("path %q has a comma, which QEMU cannot take; use another cache folder", path)
		}
	}
	argv := append([]string{}, c.Prefix...)
	argv = append(argv,
		"-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
		"-machine", strings.Join(c.machine(), ","), "-accel", c.accel(),
		"-smp", strconv.Itoa(c.CPUs), "-m", strconv.Itoa(c.Memory),
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		// The monitor is a socket pair that QEMU inherits: no path, no port, no race.
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", monitorFD), "-mon", "chardev=monitor,mode=control",
		"-kernel", c.Kernel, "-initrd", c.Initrd, "-append", strings.Join(words, " "))
	if c.Machine.Disk != "" {
		argv = append(argv, "-drive", "if=none,id=root,format=raw,readonly=on,file="+c.Disk, "-device", c.Machine.Disk+",drive=root")
	}
	if c.Machine.CPU != "" {
		argv = append(argv, "-cpu", c.Machine.CPU)
	}
	if c.Machine.Icount != "" && c.Accel == TCG {
		argv = append(argv, "-icount", c.Machine.Icount)
	}
	if c.RAM != "" {
		share := "on"
		if c.Restore {
			share = "off"
			argv = append(argv, "-incoming", "defer")
		}
		argv = append(argv, "-object",
			fmt.Sprintf("memory-backend-file,id=%s,size=%dM,mem-path=%s,share=%s", ram, c.Memory, c.RAM, share))
		if c.Machine.Devices() {
			argv = append(argv, "-chardev", fmt.Sprintf("socket,id=devices,fd=%d", devicesFD),
				"-qtest", "chardev:devices", "-qtest-log", "none")
		}
	}
	return argv, nil
}

// accel is the value of -accel. Under TCG the guest's CPUs take turns on one
// thread, since a guest has one of the host's cores: with a thread each, a CPU
// that waits for a core may hold a spin lock on which another burns its own
// (measured: 10.2 s of the host's time against 5.8 s for the limits probe).
func (c Config) accel() string {
	if c.Accel == TCG {
		return string(TCG) + ",thread=single"
	}
	return string(c.Accel)
}

// ram is the name of the guest's memory among QEMU's objects.
const ram = "ram"

// machine is the words of -machine.
func (c Config) machine() []string {
	words := []string{c.Machine.Name}
	if c.Machine.Options != "" {
		words = append(words, c.Machine.Options)
	}
	if c.RAM != "" {
		words = append(words, "memory-backend="+ram)
	}
	return words
}

// Descriptors in QEMU: the monitor's is the first after stdio, and then the one
// by which devices are reached.
const (
	monitorFD = 3
	devicesFD = 4
)
