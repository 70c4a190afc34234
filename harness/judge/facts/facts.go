// Package facts reads what a target reports about itself. It does not trust a guest:
// it checks every value before a claim may use it.
package facts

import (
	"slices"

	"github.com/mapstack/conformance/harness/matrix/release"
)

// Facts is what a target reports about itself.
type Facts struct {
	Arch    string // GOARCH of the guest's programs, which poc/abi knows
	Machine string // uname -m
	// UnameRelease is uname -r. Release is the version at its start. Version is
	// uname -v.
	Release      release.Release
	UnameRelease string
	Version      string
	Go           string // version of the guest toolchain
	PageSize     int    // bytes
	// THP reports that the kernel was built with CONFIG_TRANSPARENT_HUGEPAGE. The
	// machine may still have no huge pages.
	THP bool
	// VABits is log2 of the end of the user address space, 0 when unknown.
	VABits int
	// DefaultMap is the address of a page that mmap placed without a hint, 0 when
	// unknown.
	DefaultMap uint64
	MemTotal   int64 // bytes, 0 when unknown
	CPUs       int   // that the probes may run on
	UID        int   // that the probes run as
	// Capabilities is CapEff of the probes, a bit for each number of capabilities(7).
	// Nil when unknown.
	Capabilities *uint64
	// Filtered reports that a seccomp filter is in force for the probes, so that a call
	// may be refused by it and not by the kernel.
	Filtered bool
	// Controllers are those of control groups of version 2 that the probes may use; nil
	// when unknown, empty when there are none.
	Controllers []string
	// Limits are the resource limits by name, such as "RLIMIT_STACK".
	Limits map[string]Limit
	// Sysctls are the texts of the sysctls, by dotted name. A sysctl that is neither
	// here nor in Unknown does not exist on this kernel.
	Sysctls map[string]string
	// Config has the options of the kernel configuration that the probe asks for; nil
	// when the kernel does not show its configuration.
	Config map[string]string
	LSMs   []string // active security modules, nil when unknown
	// Label is the security label of the probes: a context of SELinux, or a profile of
	// AppArmor. Empty if no active module labels processes.
	Label string
	// Permissive reports that SELinux logs what its policy forbids, and refuses nothing.
	Permissive bool
	// Sysconf has the values of sysconf(3) by name, such as "SC_PAGESIZE"; -1 is no
	// limit. It is nil when the sysconf probe did not run.
	Sysconf map[string]int64
	// Unknown says why a fact could not be determined, by "step.name".
	Unknown map[string]string
}

// Capable reports whether the probes have a capability, by its number, and whether that
// is known.
func (f Facts) Capable(number uint) (has, known bool) {
	if f.Capabilities == nil {
		return false, false
	}
	return *f.Capabilities>>number&1 == 1, true
}

// Confined reports whether a security module may refuse the probes what root may do.
func (f Facts) Confined() bool { return f.Label != "" && f.Label != "unconfined" && !f.Permissive }

// Confinement names the security module that labels the probes, and their label; "" if no
// module does.
func (f Facts) Confinement() string {
	by := "a security module"
	switch {
	case f.Label == "":
		return ""
	case slices.Contains(f.LSMs, "selinux") && f.Permissive:
		by = "SELinux (permissive)"
	case slices.Contains(f.LSMs, "selinux"):
		by = "SELinux (enforcing)"
	case slices.Contains(f.LSMs, "apparmor"):
		by = "AppArmor"
	}
	return by + " as " + f.Label
}

// Unlimited is RLIM_INFINITY of prlimit64(2).
const Unlimited = ^uint64(0)

// Limit is a resource limit of the probes.
type Limit struct{ Current, Max uint64 }

// Sysctl returns the text of a sysctl, and whether it is known.
func (f Facts) Sysctl(name string) (string, bool) {
	value, ok := f.Sysctls[name]
	return value, ok
}
