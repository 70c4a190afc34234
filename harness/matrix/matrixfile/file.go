// Package matrixfile reads a matrix of somebody's own: mapstack.yaml, in which a vendor lists
// the kernels, images and machines to test. It is given the bytes of the file, the environment,
// and what expands a glob, and opens nothing itself.
package matrixfile

import (
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Name is the name of the file that is looked for in the current folder.
const Name = "mapstack.yaml"

// File is the content of a matrix file, as it is written.
type File struct {
	// Cells are what a run tests.
	Cells []Entry `json:"cells"`
	// Shared has fields that several cells have, by a name of one's own. A cell takes them
	// by extends. A field that the cell has itself comes before the shared one.
	Shared map[string]Entry `json:"shared,omitempty"`
	// Known lists the MUSTs that are known to fail on cells of this file. They change how a
	// run ends, and no verdict.
	Known []Record `json:"known,omitempty"`
	// Deviations lists the claims that do not hold on cells of this file for a reason that is
	// accepted. A verdict leaves them out, and reports and certificates show them.
	Deviations []Exception `json:"deviations,omitempty"`
}

// Entry is one cell, or several cells that differ in their file alone. It has one of cell,
// kernel, osImage, repository and target; or kernel with osImage.
type Entry struct {
	// Name is the name of the cell: 1 to 64 of a-z, 0-9, dot and dash. Where a list or a glob
	// makes several cells, it begins their names, and the name of the file ends them. Without
	// it, a cell has the name of its file.
	Name string `json:"name,omitempty"`
	// Extends names the fields in shared that this cell has too.
	Extends string `json:"extends,omitempty"`
	// OS is the system that the kernel belongs to, such as kylin or kylin-server-v10-sp3;
	// mapstack list shows them. Without it, the file or the image says it.
	OS string `json:"os,omitempty"`
	// Arch is the architecture, by any of its names. It must agree with the kernel. --arch
	// selects by it.
	Arch string `json:"arch,omitempty"`
	// Series is the upstream series that the kernel must be of, such as "5.10". --kernel
	// selects by it.
	Series string `json:"series,omitempty"`

	// Cell names a cell of the built-in matrix, or lists several. It runs as it is.
	Cell Names `json:"cell,omitempty"`
	// Kernel is a kernel file, a .deb or a .rpm.
	Kernel Sources `json:"kernel,omitempty"`
	// OSImage is the image of a system's disk, raw or qcow2, also compressed. Its kernel is
	// tested with the settings of the system; with kernel beside it, that kernel is.
	OSImage Sources `json:"osImage,omitempty"`
	// Repository is a yum repository or, with suite, an apt repository: a folder, or a URL. The
	// newest kernel in it is tested.
	Repository string `json:"repository,omitempty"`
	// Keyring is the file of the OpenPGP keys that may sign the repository.
	Keyring string `json:"keyring,omitempty"`
	// Suite is the suite of an apt repository, such as bookworm. With a slash at its end, such as
	// ./, it is the folder of a repository that has no dists and no components.
	Suite string `json:"suite,omitempty"`
	// Components are those of the suite, such as main.
	Components Names `json:"components,omitempty"`
	// Package is the name of a kernel package of an apt repository, or a glob such as
	// linux-image-*-generic. The newest version of what is like it is tested. A metapackage leads
	// to its kernel.
	Package string `json:"package,omitempty"`
	// SHA256 is the hash of the package. It takes the place of keyring for an apt repository that
	// nobody signs.
	SHA256 string `json:"sha256,omitempty"`
	// Target is a system that runs already: native, ssh://user@host[:port], or user for a
	// user-mode emulator of arch.
	Target string `json:"target,omitempty"`
	// FullBoot boots the system on osImage by its own boot loader, and runs the probes in it.
	FullBoot bool `json:"fullBoot,omitempty"`

	// CPUs is the number of CPUs of the guest; 1 without it.
	CPUs int `json:"cpus,omitempty"`
	// MemoryMiB is the memory of the guest in MiB; 1024 without it, and 2048 for a full boot.
	MemoryMiB int `json:"memoryMiB,omitempty"`
	// Machine is the short name of a machine of the architecture, such as malta. Without it,
	// the kernel decides.
	Machine string `json:"machine,omitempty"`
	// Firmware is the file of the firmware that a full boot starts with, such as OVMF.fd.
	Firmware string `json:"firmware,omitempty"`
	// Params are kernel parameters that the cell is about. A kernel with one is not certified.
	Params []arch.Param `json:"params,omitempty"`
	// Policy is what the system sets for its programs, where no image says it.
	Policy []matrix.Setting `json:"policy,omitempty"`
	// GuestAgent is a folder with an agent and probes that somebody compiled.
	GuestAgent string `json:"guestAgent,omitempty"`
	// Login is the user who logs in on the serial console of a full boot; root without it.
	Login string `json:"login,omitempty"`
	// PasswordFile is a file with the password of login.
	PasswordFile string `json:"passwordFile,omitempty"`
	// Destructive also runs probes that can disrupt other users of a target or a full boot.
	Destructive bool `json:"destructive,omitempty"`

	line int
	at   map[string]int // the line of each field that is there
}

// Record is one known failure.
type Record struct {
	matrix.KnownFailure
	lines matrix.Lines
}

// Exception is one deviation.
type Exception struct {
	matrix.Deviation
	line int
}

// Names is a name or a list of names.
type Names []string

// Sources is where a file is, or a list of such places: a path, a glob, or a URL.
type Sources []Source

// Source is where a file is: a path on this machine, or a URL with what the file must be. A
// path that does not begin with a slash is relative to the folder of the matrix file.
type Source struct {
	// Path is a path or, with * ? or [, a glob.
	Path string `json:"path,omitempty"`
	// URL is where the file is downloaded from, with http or https.
	URL string `json:"url,omitempty"`
	// SHA256 is the hash that the downloaded file must have, in small hexadecimal digits.
	SHA256 string `json:"sha256,omitempty"`
	// Size is the size of the downloaded file in bytes.
	Size int64 `json:"size,omitempty"`
}

// Cell is one cell of a matrix file, ready to be bound. Its paths are relative to the current
// folder, or absolute.
type Cell struct {
	Name  string
	Place string // file and line of its entry
	OS    string // as it is written; "" for what the file says
	Arch  string // GOARCH; "" for what the file says
	// Series is that of a kernel; "" for any.
	Series string

	Builtin    *matrix.Cell // of the built-in matrix; nil for any other
	Kernel     *Source
	Image      *Source
	Repository string
	Keyring    string
	// Suite is that of an apt repository; "" for a yum repository. Components, Package and SHA256
	// go with it.
	Suite      string
	Components []string
	Package    string
	SHA256     string
	Target     string
	FullBoot   bool

	CPUs, MemoryMiB     int // 0 for the usual
	Machine, Firmware   string
	Params              []arch.Param
	Policy              []matrix.Setting
	GuestAgent          string
	Login, PasswordFile string
	Destructive         bool
}

// Matrix is a matrix file that was read.
type Matrix struct {
	File  string // as it was named
	Cells []Cell
	// Known and Lines are the known failures, and where they are in the file.
	Known []matrix.KnownFailure
	Lines []matrix.Lines
	// Deviations are those of the file.
	Deviations []matrix.Deviation
}
