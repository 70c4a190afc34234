// Package arch is one record per architecture: every name it has elsewhere,
// and the machines QEMU can put a kernel of it on. Data and look-up, no I/O.
package arch

import (
	"debug/elf"
	"fmt"
	"sort"
	"strings"
)

// Param is a kernel parameter and why a guest needs it. Nothing else may reach
// a kernel's command line.
type Param struct {
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// Machine is one QEMU machine that boots kernels of an architecture.
type Machine struct {
	Name    string // -machine
	Options string // more of -machine, "option=value,..."
	CPU     string // -cpu, empty for the machine's default
	Icount  string // -icount under TCG, empty for a clock that follows the host's
	Console string // the kernel's console= device
	MaxCPUs int    // what the machine, or its kernel under TCG, can take
	// Firmware is the file that the machine loads first, where whoever has the
	// emulator supplies it.
	Firmware string
	// Disk is the device that has the guest image as the root file system, where
	// the machine may not load an initramfs; empty for none.
	Disk string
	// Unsaved are device registers that QEMU does not save with a guest and that
	// a restored one needs; they are saved beside it.
	Unsaved []Register
	// TimerInput is the interrupt input of a CPU whose timer QEMU does not save,
	// 0 where it does. A restore raises it once: the kernel then looks at its
	// clock and programs the timer again.
	TimerInput int
	// BootOnly is why a saved guest does not go on, where nothing here can mend
	// that; empty where it does.
	BootOnly string
	// Params are kernel parameters that this machine needs beside the common ones.
	Params []Param
}

// Register is a device register at physical addresses: many are written
// elsewhere than they are read.
type Register struct {
	Read, Write uint64
	Bytes       int // 1 or 4
}

// Devices is whether anything of a saved guest is reached beside QEMU's own state.
func (m Machine) Devices() bool { return len(m.Unsaved) > 0 || m.TimerInput != 0 }

// Record is one architecture. Its name in this project is its GOARCH.
type Record struct {
	GOARCH  string
	GOENV   []string // build settings beside GOARCH, for guests: the port's baseline, whatever the caller's environment says
	Debian  string   // Debian's name
	Uname   string   // uname -m in the guest
	QEMU    string   // suffix of qemu-system-
	Package string   // Debian package that holds that binary
	Aliases []string // other spellings that Lookup accepts
	ELF     elf.Machine
	// OtherELF is more machine numbers that programs of it have been seen with.
	OtherELF []elf.Machine
	Big      bool // big-endian
	// Supplied: no archive has kernels, an emulator or a toolchain for it; whoever
	// has them says where they are (harness/matrix/local).
	Supplied bool
	// GNU is the target of the GNU compilers where no package holds a kernel of it,
	// so that one is built from source, and Go's own toolchain has no port, so that
	// gccgo compiles the guest's programs; empty elsewhere.
	GNU string
	// Slowness scales every wait: TCG of this architecture against amd64's.
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

// Usual returns the name of the machine that a kernel of the architecture is tried on when
// nobody names one: "" where the record has a default, else the first by name.
func (r Record) Usual() string {
	if _, ok := r.Machines[""]; ok {
		return ""
	}
	var names []string
	for n := range r.Machines {
		names = append(names, n)
	}
	sort.Strings(names)
	return names[0]
}
