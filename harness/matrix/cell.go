// Package matrix loads, validates and selects cells: the points of
// kernel x OS x architecture x machine x page size. Pure: it reads bytes it is
// given and touches nothing.
package matrix

// Cell is one point of the matrix.
type Cell struct {
	Name     string `yaml:"name" json:"name"`                           // unique; [a-z0-9.-]
	Arch     string `yaml:"arch" json:"arch"`                           // GOARCH
	Machine  string `yaml:"machine,omitempty" json:"machine,omitempty"` // short name in harness/arch; "" is the default
	OS       string `yaml:"os" json:"os"`                               // what a reader calls the distribution
	Kernel   Kernel `yaml:"kernel" json:"kernel"`
	PageSize int    `yaml:"pageSize" json:"pageSize"` // bytes; the guest's own answer must agree
	CPUs     int    `yaml:"cpus" json:"cpus"`
	Memory   int    `yaml:"memoryMiB" json:"memoryMiB"`
	Notes    string `yaml:"notes,omitempty" json:"notes,omitempty"` // why the cell is as it is

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

// Host is a kind of system that runs already.
type Host string

const (
	Native   Host = "native" // the one that runs mapstack
	SSH      Host = "ssh"    // one that ssh reaches
	UserMode Host = "user"   // a user-mode emulator on the one that runs mapstack
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

// Origin is how a kernel is had.
type Origin string

const (
	Archive  Origin = ""         // a package of a Debian suite
	Source   Origin = "source"   // built from a source package of a Debian suite
	Given    Origin = "given"    // a file, a package or the image of a disk, named on the command line
	Supplied Origin = "supplied" // a file that whoever has it names (harness/local)
)

// Kernel names where a cell's kernel comes from.
type Kernel struct {
	// From is how the kernel is had, Archive when it is left out.
	From Origin `yaml:"from,omitempty" json:"from,omitempty"`
	// Suite is the Debian suite: bullseye, bookworm, trixie, trixie-backports, forky.
	Suite string `yaml:"suite,omitempty" json:"suite"`
	// Package is a kernel image package or the metapackage that depends on the
	// newest one.
	Package string `yaml:"package,omitempty" json:"package"`
	// Series is the upstream series the cell is about, "6.1", or "newest" when
	// it follows the suite. A resolved kernel of another series is an error.
	Series string `yaml:"series" json:"series"`
}
