// Package report is the versioned result document of a run, and its writers.
// Pure: it is handed what it says and reads no clock, file or environment.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Schema is the version of the document. It changes when a field changes its
// meaning or goes away; a new field does not change it.
const Schema = "1"

// Report is the whole document. Two runs with the same result differ in
// nothing but Header.
type Report struct {
	Schema string `json:"schema"`
	Header Header `json:"header"`
	// Focus is the claims and suites that were asked for; empty for all. The
	// verdict is about no other.
	Focus string `json:"focus,omitempty"`
	// Defect is what was injected into the kernels. A report with one shows how
	// a defective kernel is judged; it certifies nothing.
	Defect   *Defect           `json:"defect,omitempty"`
	Verdict  verdict.Decision  `json:"verdict"`
	Cells    []CellReport      `json:"cells"`
	Claims   []Claim           `json:"claims"`
	Outcomes []verdict.Outcome `json:"outcomes"`
	// Tiers is there when the run was about an architecture whose kernels nobody
	// can download.
	Tiers *Tiers `json:"tiers,omitempty"`
}

// Header is what differs from run to run: tool, host and times.
type Header struct {
	Tool     Tool      `json:"tool"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Host     Host      `json:"host"`
	QEMU     []QEMU    `json:"qemu"`
	// Seconds is how long each cell took, by name, without the downloads that
	// cells share.
	Seconds map[string]float64 `json:"seconds"`
	// Warnings are what a reader must know about the run as a whole.
	Warnings []string `json:"warnings,omitempty"`
}

// Defect is a defect model as poc/defect states it.
type Defect struct {
	Name    string `json:"name"`
	English string `json:"en"`
	Chinese string `json:"zh"`
	// Unseen is where the defect cannot show, and why: no outcome there says
	// whether the claims would catch it.
	Unseen []string `json:"unseen,omitempty"`
}

// Tool is this project.
type Tool struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of git, with "-dirty" when files were changed
	Go       string `json:"go"`
	// Alone is that there is no checkout, and no make, where the report was made.
	Alone bool `json:"alone,omitempty"`
}

// Host is the machine that ran the guests.
type Host struct {
	Arch      string `json:"arch"`
	Cores     int    `json:"cores"`
	MemoryMiB int    `json:"memoryMiB"`
	PageSize  int    `json:"pageSize"`
}

// QEMU is one emulator build.
type QEMU struct {
	Arch    string `json:"arch"`
	Version string `json:"version"`
	Source  string `json:"source"` // where it came from: PATH, or the package
	Build   string `json:"build"`  // hash that identifies it
	// Command is what ran the programs under a user-mode emulator, empty for a machine's.
	Command string `json:"command,omitempty"`
}

// CellReport is one point of the matrix as it was run.
type CellReport struct {
	Name         string           `json:"name"`
	Arch         string           `json:"arch"`
	Target       string           `json:"target,omitempty"` // native, ssh or user; empty for a QEMU guest
	Tier         string           `json:"tier,omitempty"`   // real, twin or model, see Tiers
	OS           string           `json:"os"`
	Machine      string           `json:"machine"`
	PageSize     int              `json:"pageSize"`
	Kernel       Kernel           `json:"kernel"`
	Accelerator  string           `json:"accelerator"`
	QEMU         string           `json:"qemu"` // the Build of its emulator
	KernelParams []Param          `json:"kernelParams"`
	Guest        *Guest           `json:"guest,omitempty"` // nil when it never answered
	Failure      *Failure         `json:"failure,omitempty"`
	Verdict      verdict.Decision `json:"verdict"`
	Suites       []Suite          `json:"suites"`
}

// Kernel is the kernel under test.
type Kernel struct {
	Release      string     `json:"release"` // as the guest says; from the image when it never booted
	Format       string     `json:"format"`
	ImageSHA256  string     `json:"imageSha256"`
	ConfigSHA256 string     `json:"configSha256,omitempty"`
	Provenance   Provenance `json:"provenance"`
}

// Provenance is where a kernel came from.
type Provenance struct {
	Kind     string `json:"kind"`
	Suite    string `json:"suite,omitempty"`
	Package  string `json:"package,omitempty"`
	Version  string `json:"version,omitempty"`
	Filename string `json:"filename,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
	Size     int64  `json:"size,omitempty"`
	// Chain is the way to a kernel in what somebody supplied; Entries what the boot
	// loader there offers, the default first.
	Chain   []string `json:"chain,omitempty"`
	Entries []string `json:"entries,omitempty"`
	// Policy is what the system that the kernel came with sets for its programs,
	// each with the file and line that says so; what could be given to the guest
	// is among the kernel's parameters.
	Policy   []PolicyLine `json:"policy,omitempty"`
	Compiler string       `json:"compiler,omitempty"` // that built it, where that was done here
	Warning  string       `json:"warning,omitempty"`
}

// PolicyLine is one thing that a system sets.
type PolicyLine struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`
	// Left is why the guest was not given it, empty when it was.
	Left string `json:"left,omitempty"`
}

// Param is one kernel parameter and why it was given.
type Param struct {
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// Guest is the programs that ran in the cell.
type Guest struct {
	Image string `json:"image"` // key of the guest image, which changes when its programs could
	Go    string `json:"go"`    // version of the toolchain that compiled them
	// Start is how each probe run came by its pristine guest: "restored" from a
	// snapshot, "booted", or how many of each; BootReason is why any was booted.
	Start      string `json:"start"`
	BootReason string `json:"bootReason,omitempty"`
}

// Failure is why a cell did not finish.
type Failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// Suite is what one suite says of the cell.
type Suite struct {
	Name string `json:"name"`
	verdict.Decision
}

// Claim is one claim as the suites state it.
type Claim struct {
	ID      string        `json:"id"`
	Suite   string        `json:"suite"`
	Level   verdict.Level `json:"level"`
	English string        `json:"en"`
	Chinese string        `json:"zh"`
	Source  string        `json:"source"`
}

// New assembles a report: it fills in the verdicts from the outcomes and puts
// everything into its fixed order. What it is given stays as it is.
func New(h Header, focus string, cells []CellReport, claims []Claim, outcomes []verdict.Outcome) Report {
	r := Report{
		Schema:   Schema,
		Header:   h,
		Focus:    focus,
		Verdict:  verdict.Decide(outcomes),
		Cells:    list(cells),
		Claims:   list(claims),
		Outcomes: list(outcomes),
	}
	r.Header.Started, r.Header.Finished = h.Started.UTC(), h.Finished.UTC()
	r.Header.QEMU = list(h.QEMU)
	sort.Slice(r.Header.QEMU, func(i, j int) bool {
		a, b := r.Header.QEMU[i], r.Header.QEMU[j]
		return a.Arch+"\x00"+a.Build < b.Arch+"\x00"+b.Build
	})
	slices.SortFunc(r.Cells, func(a, b CellReport) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Claims, func(a, b Claim) int { return strings.Compare(a.ID, b.ID) })
	verdict.Sort(r.Outcomes)

	decided := verdict.Cells(outcomes)
	bySuite := map[string][]Suite{}
	for _, s := range verdict.Summarise(outcomes) {
		bySuite[s.Cell] = append(bySuite[s.Cell], Suite{Name: s.Suite, Decision: s.Decision})
	}
	for i := range r.Cells {
		c := &r.Cells[i]
		var known bool
		if c.Verdict, known = decided[c.Name]; !known {
			c.Verdict = verdict.Decide(nil) // a cell without outcomes is incomplete, not conformant
		}
		c.Suites, c.KernelParams = list(bySuite[c.Name]), list(c.KernelParams)
	}
	return r
}

// list copies a slice so that JSON has [] where there is nothing: readers then
// need not tell it from null.
func list[T any](s []T) []T { return append([]T{}, s...) }

// WriteJSON writes the report as indented JSON. The same report always gives
// the same bytes.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // reasons hold < and >; people read this file
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
