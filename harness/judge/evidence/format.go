// Package evidence keeps what a run observed on disk, in a form from which
// every verdict can be computed again:
//
//	out/<run>/run.json                         what was asked for, and of whom
//	out/<run>/cells/<cell>/cell.json           kernel, QEMU, guest, how it ended
//	out/<run>/cells/<cell>/transcripts/*.json  one probe run each; facts is one
//	out/<run>/cells/<cell>/console/*.log       all that the guests wrote: as one booted, and by probe
//	out/<run>/cells/<cell>/qemu.txt            the command line, to repeat by hand
package evidence

import (
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/wire"
)

// Schema is the version of the files below.
const Schema = "1"

// Run is run.json.
type Run struct {
	Schema   string `json:"schema"`
	Revision string `json:"revision"` // of git, of the tool that ran
	Focus    string `json:"focus,omitempty"`
	// Defect is the defect model that was injected; such a run says how a
	// defective kernel would be judged and nothing of the kernels that ran.
	Defect   string        `json:"defect,omitempty"`
	Cells    []matrix.Cell `json:"cells"` // everything that was asked for
	Host     Host          `json:"host"`
	Started  time.Time     `json:"started"`
	Finished time.Time     `json:"finished"`
	Warnings []string      `json:"warnings,omitempty"`
	// CPUSeconds is the time of this host's CPUs that the run's own process
	// took, ResidentBytes the most memory that it had. Guests are not in it.
	CPUSeconds    float64 `json:"cpuSeconds"`
	ResidentBytes int64   `json:"residentBytes"`
}

// Host is the machine that ran the guests, as go-sysconf reports it.
type Host struct {
	Arch      string `json:"arch"`
	Cores     int    `json:"cores"`
	MemoryMiB int    `json:"memoryMiB"`
	PageSize  int    `json:"pageSize"`
}

// CellRun is cell.json with the transcripts beside it.
type CellRun struct {
	Schema  string           `json:"schema"`
	Cell    matrix.Cell      `json:"cell"`
	Kernel  *Kernel          `json:"kernel,omitempty"`
	QEMU    *QEMU            `json:"qemu,omitempty"`
	Guest   *Guest           `json:"guest,omitempty"`
	Failure *failure.Failure `json:"failure,omitempty"` // why no probe ran, or no further one
	// Runs is how each probe run went, by probe.
	Runs map[string]ProbeRun `json:"runs,omitempty"`
	// Seconds is the time that the cell's guests took, without their waiting for
	// a free core.
	Seconds float64 `json:"seconds"`

	Transcripts map[string]wire.Transcript `json:"-"` // by probe
}

// Kernel is the kernel that a cell booted.
type Kernel struct {
	Format string `json:"format"`
	// Layers lists what was taken off the file, outermost first: "bzImage", "xz".
	Layers []string `json:"layers,omitempty"`
	// Release is uname -r.
	Release string `json:"release"`
	// Banner is the image's own "Linux version ..." line; empty where the image
	// stays compressed (MIPS, s390x).
	Banner       string     `json:"banner,omitempty"`
	ConfigSHA256 string     `json:"configSha256,omitempty"`
	ImageSHA256  string     `json:"imageSha256"` // of the plain image
	Provenance   Provenance `json:"provenance"`
}

// Provenance says where a kernel comes from.
type Provenance struct {
	Kind     string `json:"kind"` // "debian", "built" from a source package, or "file"
	Suite    string `json:"suite"`
	Asked    string `json:"asked"` // the package that the cell names
	Package  string `json:"package"`
	Version  string `json:"version"`
	Filename string `json:"filename"`
	SHA256   string `json:"sha256"`
	Size     int64  `json:"size"` // bytes
	// Config is the package that the configuration was read from, if it is not
	// the image's.
	Config *Package `json:"config,omitempty"`
	// Chain is the way to the kernel in what somebody supplied, outermost first.
	// Entries lists what the boot loader there offers, the default first.
	Chain   []string `json:"chain,omitempty"`
	Entries []string `json:"entries,omitempty"`
	// Policy lists what the system that the kernel came with sets for its programs.
	Policy []PolicyLine `json:"policy,omitempty"`
	// Compiler built the kernel; empty for one that was built elsewhere.
	Compiler string `json:"compiler,omitempty"`
	// Locked reports whether kernels.lock decided, and not the suite's present state.
	Locked bool `json:"locked"`
	// Warning is what a reader must know of this resolution; empty for nothing.
	Warning string `json:"warning,omitempty"`
}

// Package is one package of an archive, exactly enough to fetch it again.
type Package struct {
	Package  string `json:"package"`
	Version  string `json:"version"`
	Filename string `json:"filename"` // below the mirror's URL
	Size     int64  `json:"size"`     // bytes
	SHA256   string `json:"sha256"`
}

// PolicyLine is one line by which an operating system sets something for its programs.
type PolicyLine struct {
	Name   string `json:"name"` // "vm.max_map_count", "DefaultTasksMax", "* soft nproc", "SELINUX"
	Value  string `json:"value"`
	Source string `json:"source"` // the file and the line that win
	// Left is why the guest was not given the setting; empty if it was.
	Left string `json:"left,omitempty"`
}

// QEMU is the emulator that ran a cell.
type QEMU struct {
	Version string `json:"version"`
	Source  string `json:"source"` // PATH, or the package it came in
	Build   string `json:"build"`  // hash that identifies it
	// Argv goes to qemu.txt alone: it is full of this host's paths, which
	// evidence that travels need not have.
	Argv []string `json:"-"`
	// Command is a user-mode emulator's, without the folder it is in; empty for a
	// machine's.
	Command string `json:"command,omitempty"`
	// Accelerator is what QEMU itself says; AcceleratorReason why no better one.
	Accelerator       string       `json:"accelerator"`
	AcceleratorReason string       `json:"acceleratorReason,omitempty"`
	Machine           string       `json:"machine"`
	Params            []arch.Param `json:"params"`
}

// Guest is what ran inside.
type Guest struct {
	Image string     `json:"image"` // key of the guest image
	Go    string     `json:"go"`    // toolchain of its programs
	Hello wire.Hello `json:"hello"`
	// Snapshot is the key of the booted guest that every run was restored from,
	// empty for none; then BootReason says why guests were booted.
	Snapshot   string `json:"snapshot,omitempty"`
	BootReason string `json:"bootReason,omitempty"`
	// BootSeconds is the time from QEMU's start to the agent's hello, of the
	// boot that the snapshot was made of or of the last one.
	BootSeconds float64 `json:"bootSeconds"`
}

// ProbeRun is one probe run, in a guest of its own.
type ProbeRun struct {
	Guest string `json:"guest"` // Restored or Booted
	// StartSeconds is the time from QEMU's start to the agent's first answer,
	// Seconds the time from there to QEMU's end.
	StartSeconds float64 `json:"startSeconds"`
	Seconds      float64 `json:"seconds"`
	// CPUSeconds is the host's time that QEMU took, ResidentBytes the most that
	// it had resident.
	CPUSeconds    float64          `json:"cpuSeconds"`
	ResidentBytes int64            `json:"residentBytes"`
	Failure       *failure.Failure `json:"failure,omitempty"` // why there is no transcript
}

// Err is the run's failure as an error, nil for none.
func (r ProbeRun) Err() error {
	if r.Failure == nil {
		return nil
	}
	return r.Failure
}

// What ProbeRun.Guest can be.
const (
	Restored = "restored"
	Booted   = "booted"
	Started  = "started"
)
