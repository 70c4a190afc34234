// Package arch has one record for each architecture: every name that it has elsewhere, and
// the QEMU machines that boot its kernels. It is data and look-up, without I/O.
package arch

import (
	"debug/elf"
	"fmt"
	"sort"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/release"
)

// Param is a kernel parameter and the reason why a guest needs it. A kernel's command line
// must hold nothing else.
type Param struct {
	// Value is the parameter, K or K=V.
	Value string `json:"value"`
	// Reason says why the guest needs it.
	Reason string `json:"reason"`
}

// Asked is the reason of a parameter that the user of mapstack asked for.
const Asked = "asked for with --kernel-arg; the kernel is not tested as it is shipped"

// Machine is one QEMU machine that boots kernels of an architecture.
type Machine struct {
	Name    string // -machine
	Options string // further options of -machine, "option=value,..."
	CPU     string // -cpu, empty for the machine's default
	Costly  string // properties of -cpu that cost a guest of ours too much under TCG and are off there, "property=off,..."
	Icount  string // -icount under TCG, empty for a clock that follows the host's
	Console string // the kernel's console= device
	MaxCPUs int    // the most that the machine, or its kernel under TCG, can use
	// Before is set on a machine for old kernels: those of an earlier release start on it,
	// and may not start on the usual machine. It is zero on every other machine.
	Before release.Release
	// Firmware is the file that the machine loads first, if the owner of the emulator
	// supplies it; empty otherwise.
	Firmware string
	// DiskFirmware is the file that the machine loads from the folder of Firmware when it is to
	// boot a disk and no kernel is given; empty if QEMU has one, or takes one by -bios.
	DiskFirmware string
	// Stalls says why a kernel that has begun to boot may say nothing more, if the machine
	// has such a fault under some emulators; empty otherwise.
	Stalls string
	// Disk is the device that holds the guest image as the root file system, if the machine
	// may be unable to load an initramfs; empty otherwise.
	Disk string
	// Unsaved lists device registers that a restored guest needs and QEMU does not save.
	// They are saved beside the guest.
	Unsaved []Register
	// TimerInput is the interrupt input of a CPU timer that QEMU does not save; 0 if QEMU
	// saves it. A restore raises the input once. The kernel then reads its clock and
	// programs the timer again.
	TimerInput int
	// BootOnly says why a saved guest cannot continue, if nothing here can repair that;
	// empty if it can continue.
	BootOnly string
	// FiveLevels is about page tables of amd64 with five levels (LA57). The CPU is QEMU's
	// own, since the host's may have four. The kernel is loaded in its bzImage, because only
	// the code there switches to five (arch/x86/boot/compressed). The guest must show
	// FiveLevelBits.
	FiveLevels bool
	// Params are kernel parameters that this machine needs besides the common ones.
	Params []Param
}

// FiveLevelBits is log2 of the end of the user's address space with five levels of page
// tables (Documentation/arch/x86/x86_64/mm.rst). The other half is the kernel's.
const FiveLevelBits = 56

// Register is a device register, by its physical addresses. Many registers are written at
// one address and read at another.
type Register struct {
	Read, Write uint64
	Bytes       int // 1 or 4
}

// Devices reports whether a saved guest needs device state that QEMU does not save itself.
func (m Machine) Devices() bool { return len(m.Unsaved) > 0 || m.TimerInput != 0 }

// Drivers returns the options that a kernel must have built in, so that a guest of the machine
// finds its files.
func (m Machine) Drivers() []string {
	if m.Disk == "" {
		return []string{"CONFIG_BLK_DEV_INITRD"}
	}
	return []string{"CONFIG_VIRTIO_PCI", "CONFIG_VIRTIO_BLK", "CONFIG_EXT4_FS"}
}

// Needs returns the options that a kernel must have built in, so that a guest of the machine
// finds its files and is heard. The driver of a console that is not listed here is in every
// kernel of the machine.
func (m Machine) Needs() []string {
	if !strings.HasPrefix(m.Console, "ttyS") {
		return m.Drivers()
	}
	return append([]string{"CONFIG_SERIAL_8250_CONSOLE"}, m.Drivers()...)
}

// Record is one architecture. Its name in this project is its GOARCH.
type Record struct {
	GOARCH  string
	GOENV   []string // build settings of guests besides GOARCH: the port's baseline, not what the caller's environment says
	Debian  string   // Debian's name
	Uname   string   // uname -m in the guest
	Kbuild  string   // ARCH for the make of the kernel's source
	QEMU    string   // suffix of qemu-system-
	Package string   // Debian package that holds that binary
	Aliases []string // other spellings that Lookup accepts
	ELF     elf.Machine
	// OtherELF lists further machine numbers that programs of the architecture were seen with.
	OtherELF []elf.Machine
	Big      bool // big-endian
	// Supplied is true if no archive has kernels, an emulator or a toolchain for the
	// architecture. Their owner says where they are (harness/matrix/local).
	Supplied bool
	// GNU is the target name of the GNU compilers, if they are needed; empty otherwise. They
	// build the kernel from source, because no package holds one. Their gccgo compiles the
	// guest's programs, because Go's own toolchain has no port.
	GNU string
	// Slowness scales every wait: how slow TCG of this architecture is against amd64's.
	Slowness int
	// Machines by the short name that cells use; "" is the default.
	Machines map[string]Machine
}

// Lookup finds a record by any of its names. The error lists the valid ones.
func Lookup(name string) (Record, error) {
	for _, r := range All() {
		if r.GOARCH == name || r.Debian != "" && r.Debian == name || r.Uname == name || r.QEMU == name {
			return r, nil
		}
		for _, a := range r.Aliases {
			if a == name {
				return r, nil
			}
		}
	}
	return Record{}, fmt.Errorf("unknown architecture %q; known are %s", name, strings.Join(Names(), ", "))
}

// Names returns every GOARCH this package knows, sorted.
func Names() []string {
	var names []string
	for _, r := range All() {
		names = append(names, r.GOARCH)
	}
	sort.Strings(names)
	return names
}

// Machine returns the machine a cell names. The error lists the valid ones.
func (r Record) Machine(name string) (Machine, error) {
	if m, ok := r.Machines[name]; ok {
		return m, nil
	}
	var known []string
	for n := range r.Machines {
		if n != "" {
			known = append(known, n)
		}
	}
	sort.Strings(known)
	return Machine{}, fmt.Errorf("architecture %s has no machine %q; leave it out or use one of: %s",
		r.GOARCH, name, strings.Join(known, ", "))
}

// Usual returns the name of the machine for a kernel when nobody names one: the one for old
// kernels if this release is old, else "" if the record has a default, else the first by
// name. An unknown release is zero, and not old.
func (r Record) Usual(kernel release.Release) string {
	var names []string
	for n := range r.Machines {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		if kernel != (release.Release{}) && kernel.Less(r.Machines[n].Before) {
			return n
		}
	}
	return names[0] // "" is the first
}
