package matrix

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Cell is one point of the matrix.
type Cell struct {
	Name     string `yaml:"name" json:"name"`                           // unique; [a-z0-9.-]
	Arch     string `yaml:"arch" json:"arch"`                           // GOARCH
	Machine  string `yaml:"machine,omitempty" json:"machine,omitempty"` // short name in harness/matrix/arch; "" is the default
	OS       string `yaml:"os" json:"os"`                               // the distribution's name, for readers
	Kernel   Kernel `yaml:"kernel" json:"kernel"`
	PageSize int    `yaml:"pageSize" json:"pageSize"` // bytes; the guest's own answer must agree
	CPUs     int    `yaml:"cpus" json:"cpus"`
	Memory   int    `yaml:"memoryMiB" json:"memoryMiB"`
	Notes    string `yaml:"notes,omitempty" json:"notes,omitempty"` // why the cell is as it is

	// Policy holds the settings that the operating system has for its programs. A guest gets
	// the same ones. Empty for a cell that tests the kernel alone.
	Policy []Setting `yaml:"policy,omitempty" json:"policy,omitempty"`
	// Params are kernel parameters that the cell is about. A guest gets them besides those
	// of its machine.
	Params []arch.Param `yaml:"params,omitempty" json:"params,omitempty"`

	// System is the product of an operating system that the cell is (harness/matrix/osname),
	// where somebody says so; empty for none.
	System string `yaml:"-" json:"system,omitempty"`
	// Host is the kind of running system where the probes run; empty for a QEMU guest.
	// Such a cell is in no file: it is made of what the system says of itself.
	Host Host `yaml:"-" json:"host,omitempty"`

	// Tier says how close the cell is to the architecture For. Empty for a kernel of its
	// own architecture that anybody can download.
	Tier Tier `yaml:"tier,omitempty" json:"tier,omitempty"`
	// For is the architecture (a GOARCH) that the cell says something about.
	For string `yaml:"for,omitempty" json:"for,omitempty"`
	// Group names cells that belong together. A cell with a group runs only if its name or
	// its group is asked for: its kernel takes minutes to build, or a run of the matrix must
	// not depend on it. Empty for the other cells.
	Group string `yaml:"group,omitempty" json:"group,omitempty"`
	// Focus narrows the claims that are checked on the cell, in the form of FOCUS; empty
	// for all claims.
	Focus string `yaml:"focus,omitempty" json:"focus,omitempty"`
}

// Setting is one thing that an operating system sets.
type Setting struct {
	// Of is OfSysctl, OfService or OfSession.
	Of string `yaml:"of" json:"of"`
	// Name names a sysctl. It may also be "tasks" for pids.max, or the name that limits.conf
	// gives a limit of setrlimit(2).
	Name string `yaml:"name" json:"name"`
	// Value of a sysctl is a number. Value of a limit is SOFT:HARD, each a number (bytes for
	// memory), "max", or "-" for the kernel's own value. Value of "tasks" is a number, "max",
	// or a percentage of kernel.pid_max, or of kernel.threads-max if that is set and smaller.
	Value  string `yaml:"value" json:"value"`
	Source string `yaml:"source" json:"source"` // where it is set, for readers
}

// Values of Setting.Of.
const (
	OfSysctl  = "sysctl"
	OfService = "service" // a program that the service manager starts
	OfSession = "session" // a program of a user who logged in
)

var (
	settingName  = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)
	settingValue = regexp.MustCompile(`^(-?[0-9]{1,20}|max|[0-9]{1,2}%|(max|-|[0-9]{1,20}):(max|-|[0-9]{1,20}))$`)
)

// Check returns what is wrong with a setting and what is allowed; nil if it is valid.
func (s Setting) Check() error {
	switch {
	case !slices.Contains([]string{OfSysctl, OfService, OfSession}, s.Of):
		return fmt.Errorf("a setting is of %q; it must be of %s, %s or %s", s.Of, OfSysctl, OfService, OfSession)
	case !settingName.MatchString(s.Name):
		return fmt.Errorf("the name of a setting is %q; it must consist of a-z, 0-9, dot, hyphen and underscore", s.Name)
	case !settingValue.MatchString(s.Value):
		return fmt.Errorf("the setting %s is %q; it must be a number, max, a percentage, or SOFT:HARD", s.Name, s.Value)
	case s.Source == "":
		return fmt.Errorf("the setting %s has no source; name the file that sets it", s.Name)
	}
	return nil
}

// CheckParam returns what is wrong with a kernel parameter of a cell; nil if it is valid.
func CheckParam(p arch.Param) error {
	switch {
	case p.Value == "" || strings.ContainsAny(p.Value, " \t\n\""):
		return fmt.Errorf("the kernel parameter %q must not be empty, or have a space or a quote; give one parameter, K or K=V", p.Value)
	case p.Reason == "":
		return fmt.Errorf("the kernel parameter %s has no reason; say what the cell shows with it", p.Value)
	}
	return nil
}

// Host is a kind of system where probes run without a guest of their own.
type Host string

const (
	Native   Host = "native"    // the one that runs mapstack
	SSH      Host = "ssh"       // one that ssh reaches
	FullBoot Host = "full-boot" // one that QEMU boots from its own disk, unchanged
	UserMode Host = "user"      // a user-mode emulator on the one that runs mapstack
)

// Tier says how close a cell is to an architecture whose kernels nobody can download. A
// cell with a tier runs only if its architecture or its name is asked for.
type Tier string

const (
	Real  Tier = "real"  // a kernel of the architecture, supplied by its owner
	Twin  Tier = "twin"  // a real kernel of another architecture with the same numbers
	Model Tier = "model" // a real kernel of another architecture, made to look defective
)

// Tiers returns every tier, the closest first.
func Tiers() []Tier { return []Tier{Real, Twin, Model} }

// About reports whether the cell says something about an architecture.
func (c Cell) About(goarch string) bool {
	return c.For == goarch || c.Arch == goarch && c.Tier != Model
}

// Ours reports whether the kernel is one that the matrix names, and none that somebody gave.
func (c Cell) Ours() bool {
	return c.Host == "" && c.Kernel.From != Given && c.Kernel.From != Supplied
}

// KernelSource says where a kernel comes from.
type KernelSource string

const (
	Archive  KernelSource = ""         // a package of a Debian suite
	Source   KernelSource = "source"   // built from a source package of a Debian suite
	Given    KernelSource = "given"    // a file, a package or the image of a disk, named on the command line
	Supplied KernelSource = "supplied" // a file that its owner names (harness/matrix/local)
)

// Kernel names where a cell's kernel comes from.
type Kernel struct {
	// From is Archive if it is left out.
	From KernelSource `yaml:"from,omitempty" json:"from,omitempty"`
	// Suite is the Debian suite: bullseye, bookworm, trixie, trixie-backports, forky.
	Suite string `yaml:"suite,omitempty" json:"suite"`
	// Package is a kernel image package, or the metapackage that depends on the newest
	// one.
	Package string `yaml:"package,omitempty" json:"package"`
	// Series is the upstream series that the cell is about, such as "6.1", or "newest" to
	// follow the suite. A resolved kernel of another series is an error.
	Series string `yaml:"series" json:"series"`
	// Config names the fragments of the configuration that a kernel from source is built
	// with: CONFIG.config in the fixtures. A later one overrides an earlier one.
	Config []string `yaml:"config,omitempty" json:"config,omitempty"`
}

// known reports whether anything is said about the kernel besides where it is from.
func (k Kernel) known() bool {
	return k.Suite != "" || k.Package != "" || k.Series != "" || len(k.Config) > 0
}
