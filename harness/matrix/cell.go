// Package matrix loads, validates and selects cells: the points of
// kernel x OS x architecture x machine x page size. Pure: it reads bytes it is
// given and touches nothing.
package matrix

import (
	"fmt"
	"regexp"
	"slices"
)

// Cell is one point of the matrix.
type Cell struct {
	Name     string `yaml:"name" json:"name"`                           // unique; [a-z0-9.-]
	Arch     string `yaml:"arch" json:"arch"`                           // GOARCH
	Machine  string `yaml:"machine,omitempty" json:"machine,omitempty"` // short name in harness/matrix/arch; "" is the default
	OS       string `yaml:"os" json:"os"`                               // what a reader calls the distribution
	Kernel   Kernel `yaml:"kernel" json:"kernel"`
	PageSize int    `yaml:"pageSize" json:"pageSize"` // bytes; the guest's own answer must agree
	CPUs     int    `yaml:"cpus" json:"cpus"`
	Memory   int    `yaml:"memoryMiB" json:"memoryMiB"`
	Notes    string `yaml:"notes,omitempty" json:"notes,omitempty"` // why the cell is as it is

	// Policy is what the operating system sets for its programs, and what the guest
	// is given of it; empty where only the kernel is asked.
	Policy []Setting `yaml:"policy,omitempty" json:"policy,omitempty"`

	// Host is the kind of system that runs already, where the probes run; empty
	// for a QEMU guest. Only ad-hoc cells have one, measured and not asked for.
	Host Host `yaml:"-" json:"host,omitempty"`

	// Tier is what the cell says of the architecture For; empty for a kernel of
	// its own architecture that anybody can have.
	Tier Tier `yaml:"tier,omitempty" json:"tier,omitempty"`
	// For is the architecture, a GOARCH, that the cell says something about.
	For string `yaml:"for,omitempty" json:"for,omitempty"`
	// Focus narrows the claims that the cell is asked, a list as FOCUS takes it;
	// empty for all.
	Focus string `yaml:"focus,omitempty" json:"focus,omitempty"`
}

// Setting is one thing that an operating system sets.
type Setting struct {
	// Of is what it is set for: OfSysctl, OfService or OfSession.
	Of   string `yaml:"of" json:"of"`
	Name string `yaml:"name" json:"name"` // of a sysctl; "tasks" is pids.max; else a limit of setrlimit(2), as limits.conf names it
	// Value is a number, of a limit SOFT:HARD, each a number (bytes where it is of
	// memory), "max", or "-" for what the kernel gives; of tasks also a percentage of
	// kernel.pid_max, or of kernel.threads-max where that is set too and is less.
	Value  string `yaml:"value" json:"value"`
	Source string `yaml:"source" json:"source"` // where it is set, for a reader
}

// What settings are of.
const (
	OfSysctl  = "sysctl"
	OfService = "service" // a program that the service manager starts
	OfSession = "session" // one of a user who logged in
)

var (
	settingName  = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)
	settingValue = regexp.MustCompile(`^(-?[0-9]{1,20}|max|[0-9]{1,2}%|(max|-|[0-9]{1,20}):(max|-|[0-9]{1,20}))$`)
)

// Check says what is wrong with a setting, nil for nothing.
func (s Setting) Check() error {
	switch {
	case !slices.Contains([]string{OfSysctl, OfService, OfSession}, s.Of):
		return fmt.Errorf("a setting of %q must be of %s, %s or %s", s.Of, OfSysctl, OfService, OfSession)
	case !settingName.MatchString(s.Name):
		return fmt.Errorf("a setting's name, %q, must be of a-z, 0-9, dot, hyphen and underscore", s.Name)
	case !settingValue.MatchString(s.Value):
		return fmt.Errorf("the setting %s is %q, and must be a number, max, a percentage, or SOFT:HARD", s.Name, s.Value)
	case s.Source == "":
		return fmt.Errorf("the setting %s has no source; name the file that sets it", s.Name)
	}
	return nil
}

// Host is a kind of system that runs already.
type Host string

const (
	Native   Host = "native"    // the one that runs mapstack
	SSH      Host = "ssh"       // one that ssh reaches
	FullBoot Host = "full-boot" // one that QEMU boots as it is on its disk
	UserMode Host = "user"      // a user-mode emulator on the one that runs mapstack
)

// Tier is how near a cell is to an architecture whose kernels nobody can
// download. A cell with a tier runs only when its architecture or its name is
// asked for.
type Tier string

const (
	Real  Tier = "real"  // a kernel of the architecture, supplied by whoever has one
	Twin  Tier = "twin"  // a real kernel of another architecture with the same numbers
	Model Tier = "model" // a real kernel of another architecture, made to look defective
)

// Tiers is every tier, the nearest first.
func Tiers() []Tier { return []Tier{Real, Twin, Model} }

// About is whether the cell says something of an architecture.
func (c Cell) About(goarch string) bool {
	return c.For == goarch || c.Arch == goarch && c.Tier != Model
}

// KernelSource is how a kernel is had.
type KernelSource string

const (
	Archive  KernelSource = ""         // a package of a Debian suite
	Source   KernelSource = "source"   // built from a source package of a Debian suite
	Given    KernelSource = "given"    // a file, a package or the image of a disk, named on the command line
	Supplied KernelSource = "supplied" // a file that whoever has it names (harness/matrix/local)
)

// Kernel names where a cell's kernel comes from.
type Kernel struct {
	// From is how the kernel is had, Archive when it is left out.
	From KernelSource `yaml:"from,omitempty" json:"from,omitempty"`
	// Suite is the Debian suite: bullseye, bookworm, trixie, trixie-backports, forky.
	Suite string `yaml:"suite,omitempty" json:"suite"`
	// Package is a kernel image package or the metapackage that depends on the
	// newest one.
	Package string `yaml:"package,omitempty" json:"package"`
	// Series is the upstream series the cell is about, "6.1", or "newest" when
	// it follows the suite. A resolved kernel of another series is an error.
	Series string `yaml:"series" json:"series"`
}
