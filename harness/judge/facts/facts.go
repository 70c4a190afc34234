// Package facts reads what a target says of itself. A guest is not trusted:
// every value is checked before a claim may build on it. Pure.
package facts

import (
	"github.com/mapstack/conformance/harness/matrix/release"
)

// Facts is what a target says of itself.
type Facts struct {
	Arch    string // GOARCH of the guest's programs, which poc/abi knows
	Machine string // uname -m
	// Release is the version at the head of uname -r, which is UnameRelease;
	// Version is uname -v.
	Release      release.Release
	UnameRelease string
	Version      string
	Go           string // version of the guest toolchain
	PageSize     int    // bytes
	// THP says that the kernel was built with CONFIG_TRANSPARENT_HUGEPAGE; the
	// machine may still have no huge pages.
	THP bool
	// VABits is log2 of the end of the user address space, 0 when unknown.
	VABits int
	// DefaultMap is where mmap without a hint put a page, 0 when unknown.
	DefaultMap uint64
	MemTotal   int64 // bytes, 0 when unknown
	CPUs       int   // that the probes may run on
	UID        int   // that the probes run as
	// Limits are by name, "RLIMIT_STACK".
	Limits map[string]Limit
	// Sysctls are the text of each, by dotted name. One that is in neither
	// Sysctls nor Unknown does not exist on this kernel.
	Sysctls map[string]string
	// Config is the kernel's configuration as far as the probe asks for it,
	// nil when the kernel does not show it.
	Config map[string]string
	LSMs   []string // active security modules, nil when not told
	// Sysconf is what sysconf(3) says, by name, "SC_PAGESIZE"; -1 is no limit.
	// nil when the sysconf probe did not run.
	Sysconf map[string]int64
	// Unknown is why a fact could not be determined, by "step.name".
	Unknown map[string]string
}

// Unlimited is RLIM_INFINITY as prlimit64 has it.
const Unlimited = ^uint64(0)

// Limit is a resource limit of the probes.
type Limit struct{ Current, Max uint64 }

// Sysctl returns a sysctl's text, and whether it is known.
func (f Facts) Sysctl(name string) (string, bool) {
	value, ok := f.Sysctls[name]
	return value, ok
}
