// Package evidence stores what a run observed. Every verdict can be computed again
// from it:
//
//	out/<run>/run.json                         the cells, claims and host of the run
//	out/<run>/resume.json                      the flags of the run and the cells that have ended, to go on with it
//	out/<run>/cells/<cell>/cell.json           kernel, QEMU, guest, how it ended
//	out/<run>/cells/<cell>/part.json           the same so far, of a cell that has not ended
//	out/<run>/cells/<cell>/transcripts/*.json  one probe run each; facts is one
//	out/<run>/cells/<cell>/console/*.log       what the guests wrote: one log of the boot, one for each probe
//	out/<run>/cells/<cell>/qemu.txt            the command line, to repeat a boot by hand
package evidence

import (
	"fmt"
	"slices"
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
	Version  string `json:"version,omitempty"` // of the suites; empty in evidence of earlier revisions
	Revision string `json:"revision"`          // of git, of the tool that ran
	Focus    string `json:"focus,omitempty"`
	// Defect is the defect model that was injected. Such a run shows how a defective
	// kernel would be judged. It says nothing of the kernels that ran.
	Defect string `json:"defect,omitempty"`
	// Product is what the systems are, as whoever started the run says; nil if he does not.
	Product *Product      `json:"product,omitempty"`
	Cells   []matrix.Cell `json:"cells"` // everything that was asked for
	// Matrix is the matrix file that cells are from; nil for the built-in matrix alone.
	Matrix *Matrix `json:"matrix,omitempty"`
	// Asked are the flags that the run was given, besides those that select cells and claims,
	// for whoever repeats it.
	Asked []Flag `json:"asked,omitempty"`
	// Shard says which part of a larger run this is; nil for a whole one.
	Shard    *Shard    `json:"shard,omitempty"`
	Host     Host      `json:"host"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Warnings []string  `json:"warnings,omitempty"`
	// CPUSeconds and ResidentBytes are the CPU time and the largest resident set of
	// mapstack itself, without its guests.
	CPUSeconds    float64 `json:"cpuSeconds"`
	ResidentBytes int64   `json:"residentBytes"`
}

// Flag is a flag of a run.
type Flag struct {
	Name  string `json:"name"`            // without the hyphens
	Value string `json:"value,omitempty"` // empty if it has none
	// Hidden means that the value names something on this host, and was left out; of NAME=VALUE
	// the name is there.
	Hidden bool `json:"hidden,omitempty"`
}

// Shard is a part of a run. The parts are run apart, and merged.
type Shard struct {
	Index int `json:"index"` // from 1
	Of    int `json:"of"`
	// Cells names the cells of all shards, in the order of the whole run.
	Cells []string `json:"cells"`
}

// String returns the shard as it is asked for: "1/7".
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Of) }

// Product is a vendor's product. Each field is one line of at most 200 bytes.
type Product struct {
	Organisation string `json:"organisation"`
	Name         string `json:"name"`
	Version      string `json:"version"`
}

// String returns the product on one line; "" for none.
func (p *Product) String() string {
	if p == nil {
		return ""
	}
	return p.Organisation + ", " + p.Name + " " + p.Version
}

// Matrix is what a run keeps of a matrix file: what it is judged by, and no path of the host.
type Matrix struct {
	File  string   `json:"file"`  // its name, without the folder
	Cells []string `json:"cells"` // the names of the cells that are from it
	// Known and Lines are the known failures on these cells, and where they are in the file.
	Known []matrix.KnownFailure `json:"known,omitempty"`
	Lines []matrix.Lines        `json:"lines,omitempty"`
	// Deviations are those of the file, on these cells.
	Deviations []matrix.Deviation `json:"deviations,omitempty"`
}

// Known returns the known failures of the run's matrix file. They are about the cells of that
// file alone. The error says what is wrong with them.
func (r Run) Known() (matrix.KnownFailures, error) {
	if r.Matrix == nil {
		return matrix.KnownFailures{}, nil
	}
	var own []matrix.Cell
	for _, c := range r.Cells {
		if slices.Contains(r.Matrix.Cells, c.Name) {
			own = append(own, c)
		}
	}
	return matrix.Records(r.Matrix.File, r.Matrix.Known, r.Matrix.Lines, own)
}

// Deviations returns those of the run's matrix file. They are about the cells of that file alone.
// The error says what is wrong with them.
func (r Run) Deviations() (all []matrix.Deviation, err error) {
	if r.Matrix == nil {
		return nil, nil
	}
	for i, d := range r.Matrix.Deviations {
		if err := d.Check(); err != nil {
			return nil, fmt.Errorf("deviation %d of %s: %w", i+1, r.Matrix.File, err)
		}
		var own []string
		for _, name := range r.Matrix.Cells {
			if matrix.ValidName(name) && d.Covers(d.Claim, name) {
				own = append(own, name)
			}
		}
		if d.Cells = own; len(own) > 0 {
			all = append(all, d.From(r.Matrix.File))
		}
	}
	return all, nil
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
	// Retried are the errors of ours after which a guest was started again.
	Retried []*failure.Failure `json:"retried,omitempty"`
	// Runs says how each probe run went, by probe.
	Runs map[string]ProbeRun `json:"runs,omitempty"`
	// Seconds is how long the cell's guests ran. Waiting for a free core is not in it.
	Seconds float64 `json:"seconds"`

	Transcripts map[string]wire.Transcript `json:"-"` // by probe
}

// Ended reports whether the cell came to its end, well or not. One that was stopped from
// outside did not.
func (c CellRun) Ended() bool { return c.Failure == nil || c.Failure.Kind != failure.Interrupted }

// Err returns the failure of the cell as an error, nil for none.
func (c CellRun) Err() error {
	if c.Failure == nil {
		return nil
	}
	return c.Failure
}

// Kernel is the kernel that a cell booted.
type Kernel struct {
	Format string `json:"format"`
	// Layers lists the formats that were unpacked, outermost first: "bzImage", "xz".
	Layers []string `json:"layers,omitempty"`
	// Release is uname -r.
	Release string `json:"release"`
	// Banner is the "Linux version ..." line in the image; empty where the image stays
	// compressed (MIPS, s390x).
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
	// Config is the package of the kernel configuration; nil when it is the package of
	// the image.
	Config *Package `json:"config,omitempty"`
	// Chain lists what a supplied kernel was wrapped in, outermost first. Entries
	// lists what the boot loader there offers, the default first.
	Chain   []string `json:"chain,omitempty"`
	Entries []string `json:"entries,omitempty"`
	// Policy lists what the kernel's system sets for its programs.
	Policy []PolicyLine `json:"policy,omitempty"`
	// Compiler is set when the kernel was built here.
	Compiler string `json:"compiler,omitempty"`
	// Locked reports whether kernels.lock chose the version, and not the archive.
	Locked bool `json:"locked"`
	// Warning tells what a reader must know of the choice; empty for nothing.
	Warning string `json:"warning,omitempty"`
}

// Package is one package of an archive. It is enough to fetch the same bytes again.
type Package struct {
	Package  string `json:"package"`
	Version  string `json:"version"`
	Filename string `json:"filename"` // below the mirror's URL
	Size     int64  `json:"size"`     // bytes
	SHA256   string `json:"sha256"`
}

// PolicyLine is one setting that an operating system makes for its programs.
type PolicyLine struct {
	Name   string `json:"name"` // "vm.max_map_count", "DefaultTasksMax", "* soft nproc", "SELINUX"
	Value  string `json:"value"`
	Source string `json:"source"` // the file and line that take effect
	// Left says why the guest was not given the setting; empty when it was.
	Left string `json:"left,omitempty"`
}

// QEMU is the emulator that ran a cell.
type QEMU struct {
	Version string `json:"version"`
	Source  string `json:"source"` // PATH, or the package it came in
	Build   string `json:"build"`  // hash that identifies it
	// Firmware is the file that the machine loads first, with its hash; empty where it is a
	// part of QEMU.
	Firmware string `json:"firmware,omitempty"`
	// Argv is written to qemu.txt alone. It names folders of this host, which others
	// who get the evidence need not see.
	Argv []string `json:"-"`
	// Command is the command line of a user-mode emulator without its folder; empty
	// where QEMU emulated a machine.
	Command string `json:"command,omitempty"`
	// Accelerator is what QEMU reports. AcceleratorReason says why no faster one was
	// used.
	Accelerator       string       `json:"accelerator"`
	AcceleratorReason string       `json:"acceleratorReason,omitempty"`
	Machine           string       `json:"machine"`
	Params            []arch.Param `json:"params"`
}

// Guest describes the programs that ran in the cell.
type Guest struct {
	Image string     `json:"image"` // key of the guest image
	Go    string     `json:"go"`    // version of the toolchain of its programs
	Hello wire.Hello `json:"hello"`
	// Snapshot is the key of the snapshot that every run was restored from. When it is
	// empty, BootReason says why guests were booted instead.
	Snapshot   string `json:"snapshot,omitempty"`
	BootReason string `json:"bootReason,omitempty"`
	// BootSeconds is the time from QEMU's start to the agent's hello. It is that of the
	// boot behind the snapshot, or without one that of the last boot.
	BootSeconds float64 `json:"bootSeconds"`
}

// ProbeRun says how one probe run went.
type ProbeRun struct {
	Guest string `json:"guest"` // Restored, Booted, Started, Shared or Saved
	// StartSeconds is the time from QEMU's start to the agent's first answer. Seconds
	// is the time from there to QEMU's end.
	StartSeconds float64 `json:"startSeconds"`
	Seconds      float64 `json:"seconds"`
	// CPUSeconds is the CPU time that QEMU used on the host since its start, or since the
	// probe before. ResidentBytes is its largest resident set so far.
	CPUSeconds    float64          `json:"cpuSeconds"`
	ResidentBytes int64            `json:"residentBytes"`
	Failure       *failure.Failure `json:"failure,omitempty"` // why there is no transcript
	// Earlier is why the probe failed before: in a guest that others had used, or by an
	// error of ours. It then ran again in a pristine guest, which this is.
	Earlier []*failure.Failure `json:"earlier,omitempty"`
}

// Err returns the failure as an error, nil for none.
func (r ProbeRun) Err() error {
	if r.Failure == nil {
		return nil
	}
	return r.Failure
}

// Values of ProbeRun.Guest.
const (
	Restored = "restored" // from a snapshot
	Booted   = "booted"
	Started  = "started" // a program in a system that ran already
	Shared   = "shared"  // the guest of the probe before, which had left nothing behind
	Saved    = "saved"   // before the guest was saved; its console is that of the boot
)
