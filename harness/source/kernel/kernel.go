package kernel

import (
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/intake"
)

// Image is a kernel on disk, ready to boot.
type Image struct {
	Path   string `json:"-"` // of the plain image
	Format Format `json:"format"`
	// Layers are the containers and compressions that were removed, outermost first:
	// "bzImage", "xz".
	Layers []string `json:"layers,omitempty"`
	// Release is uname -r.
	Release string `json:"release"`
	// Banner is the "Linux version ..." line of the image. It is empty if the image
	// stays compressed (MIPS, s390x).
	Banner       string     `json:"banner,omitempty"`
	Config       string     `json:"-"` // path of the kernel's .config, or ""
	ConfigSHA256 string     `json:"configSha256,omitempty"`
	ImageSHA256  string     `json:"imageSha256"` // of the plain image
	Provenance   Provenance `json:"provenance"`
}

// Provenance says where an image comes from.
type Provenance struct {
	Kind     string `json:"kind"` // "debian", "built" from a source package, or "file"
	Suite    string `json:"suite"`
	Asked    string `json:"asked"` // the package the cell names
	Package  string `json:"package"`
	Version  string `json:"version"`
	Filename string `json:"filename"`
	SHA256   string `json:"sha256"`
	Size     int64  `json:"size"` // bytes
	// Config is the package that the configuration was read from, if it differs from
	// the package of the image.
	Config *File `json:"config,omitempty"`
	// Chain is the path to the kernel in the supplied file, outermost first. Entries
	// are the menu entries of its boot loader, the default first.
	Chain   []string `json:"chain,omitempty"`
	Entries []string `json:"entries,omitempty"`
	// Policy is what the system of the kernel sets for its programs.
	Policy []intake.PolicyLine `json:"policy,omitempty"`
	// Compiler is the compiler, if the kernel was built here.
	Compiler string `json:"compiler,omitempty"`
	// Locked means that kernels.lock decided, and not the present state of the suite.
	Locked bool `json:"locked"`
	// Warning is what a reader must know about this resolution. It may be empty.
	Warning string `json:"warning,omitempty"`
}

// File is one package of an archive, with the fields needed to fetch it again.
type File struct {
	Package  string `json:"package" yaml:"package"`
	Version  string `json:"version" yaml:"version"`
	Filename string `json:"filename" yaml:"filename"` // below the mirror's URL
	Size     int64  `json:"size" yaml:"size"`         // bytes
	SHA256   string `json:"sha256" yaml:"sha256"`
}

// Pin is one resolution: what a cell asked for, and the packages that it resolved
// to.
type Pin struct {
	Suite   string `json:"suite" yaml:"suite"`
	Arch    string `json:"arch" yaml:"arch"`   // Debian's name
	Asked   string `json:"asked" yaml:"asked"` // the package the cell names
	Release string `json:"release" yaml:"release"`
	Image   File   `json:"image" yaml:"image"` // holds the kernel
	// Config is the package of the configuration. It is nil if Image holds it.
	Config *File `json:"config,omitempty" yaml:"config,omitempty"`
}

func fileOf(p debian.Package) File {
	return File{Package: p.Name, Version: p.Version, Filename: p.Filename, Size: p.Size, SHA256: p.SHA256}
}

// Packages returns the packages that a pinned kernel is in.
func (p Pin) Packages() []debian.Package {
	all := []debian.Package{p.Image.in(p)}
	if p.Config != nil {
		all = append(all, p.Config.in(p))
	}
	return all
}

func (f File) in(p Pin) debian.Package {
	return debian.Package{Suite: p.Suite, Name: f.Package, Version: f.Version, Arch: p.Arch,
		Filename: f.Filename, Size: f.Size, SHA256: f.SHA256}
}

func (p Pin) provenance(locked bool, warning string) Provenance {
	return Provenance{
		Kind: "debian", Suite: p.Suite, Asked: p.Asked, Package: p.Image.Package, Version: p.Image.Version,
		Filename: p.Image.Filename, SHA256: p.Image.SHA256, Size: p.Image.Size,
		Config: p.Config, Locked: locked, Warning: warning,
	}
}
