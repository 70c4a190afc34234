// Package report is the versioned result document of a run. It is a leaf: whoever
// reads a result needs the standard library and package verdict alone.
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
const Schema = "2"

// Report is the whole document. Two runs with the same result differ only in
// Header.
type Report struct {
	Schema string `json:"schema"`
	Header Header `json:"header"`
	// Focus lists the claims and suites that were asked for; empty for all. The
	// verdict is about these alone.
	Focus string `json:"focus,omitempty"`
	// Defect was injected into the kernels; nil for none. A report with one shows how
	// a defective kernel is judged, and certifies nothing.
	Defect *Defect `json:"defect,omitempty"`
	// Product is what was tested, as whoever started the run says; nil if he does not.
	Product *Product         `json:"product,omitempty"`
	Verdict verdict.Decision `json:"verdict"`
	// End says how the run ends if known failures are told from new ones. It is nil if no
	// record of one is about an outcome: the run then ends with the verdict.
	End      *verdict.Ending   `json:"end,omitempty"`
	Cells    []CellReport      `json:"cells"`
	Claims   []Claim           `json:"claims"`
	Outcomes []verdict.Outcome `json:"outcomes"`
	// Lacks says what kept claims from being decided, by cell and feature.
	Lacks []Lack `json:"lacks,omitempty"`
	// Tiers is set when the run was about an architecture whose kernels nobody can
	// download.
	Tiers *Tiers `json:"tiers,omitempty"`
}

// Header holds what differs from run to run: tool, host and times.
type Header struct {
	Tool     Tool      `json:"tool"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Host     Host      `json:"host"`
	QEMU     []QEMU    `json:"qemu"`
	// Seconds is how long each cell took, by name, without the downloads that
	// cells share.
	Seconds map[string]float64 `json:"seconds"`
	// ProbeSeconds is how long each probe took in its guest, by cell and probe.
	ProbeSeconds map[string]map[string]float64 `json:"probeSeconds,omitempty"`
	// Evidence is a hash of the evidence that the report was made of.
	Evidence string `json:"evidence,omitempty"`
	// Flags are those that the run was given, besides those that select cells and claims.
	Flags []Flag `json:"flags,omitempty"`
	// Retries lists what was tried again after an error that was not the kernel's.
	Retries []Retry `json:"retries,omitempty"`
	// Warnings tell what a reader must know about the run as a whole.
	Warnings []string `json:"warnings,omitempty"`
}

// Flag is a flag of a run.
type Flag struct {
	Name  string `json:"name"`            // without the hyphens
	Value string `json:"value,omitempty"` // empty if it has none
	// Hidden means that the value names something on the host of the run, and was left out.
	Hidden bool `json:"hidden,omitempty"`
}

// Retry is one attempt that failed. What it was about was tried again with a fresh guest.
type Retry struct {
	Cell   string `json:"cell"`
	Probe  string `json:"probe,omitempty"` // empty for the start of a guest
	Kind   string `json:"kind"`
	Reason string `json:"reason"` // the first line
}

// Defect is a defect model as poc/defect states it.
type Defect struct {
	Name    string `json:"name"`
	English string `json:"en"`
	Chinese string `json:"zh"`
	// Unseen lists the cells where the defect cannot have an effect, and why. Their
	// outcomes do not say whether the claims would catch it.
	Unseen []string `json:"unseen,omitempty"`
}

// Product is a vendor's product.
type Product struct {
	Organisation string `json:"organisation"`
	Name         string `json:"name"`
	Version      string `json:"version"`
}

// String returns the product on one line; "" for nil.
func (p *Product) String() string {
	if p == nil {
		return ""
	}
	return p.Organisation + ", " + p.Name + " " + p.Version
}

// Tool is the program that made the report.
type Tool struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of git, with "-dirty" when files were changed
	Go       string `json:"go"`
	// Standalone reports that the binary ran without a checkout, and so without make.
	Standalone bool `json:"alone,omitempty"`
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
	Source  string `json:"source"` // PATH, or the package that it came from
	Build   string `json:"build"`  // hash that identifies it
	// Firmware is the file that the machine loaded first, with its hash; empty where it is
	// a part of QEMU.
	Firmware string `json:"firmware,omitempty"`
	// Command is the command line of a user-mode emulator; empty where QEMU emulated
	// a machine.
	Command string `json:"command,omitempty"`
}

// CellReport is one cell of the matrix as it was run.
type CellReport struct {
	Name         string           `json:"name"`
	Arch         string           `json:"arch"`
	Target       string           `json:"target,omitempty"` // native, ssh, full-boot or user; empty for a QEMU guest
	Tier         string           `json:"tier,omitempty"`   // real, twin or model, see Tiers
	Matrix       string           `json:"matrix,omitempty"` // the name of the matrix file that the cell is from; empty for the built-in matrix
	OS           string           `json:"os"`
	System       string           `json:"system,omitempty"` // the product of an operating system, such as kylin-server-v10-sp3, where somebody says so
	Machine      string           `json:"machine"`
	Hardware     *Hardware        `json:"hardware,omitempty"`  // of a native or ssh target; nil for all others
	PageSize     int              `json:"pageSize"`            // bytes
	CPUs         int              `json:"cpus,omitempty"`      // of a guest
	MemoryMiB    int              `json:"memoryMiB,omitempty"` // of a guest
	Kernel       Kernel           `json:"kernel"`
	Accelerator  string           `json:"accelerator"`
	QEMU         string           `json:"qemu"` // the Build of its emulator
	KernelParams []Param          `json:"kernelParams"`
	Guest        *Guest           `json:"guest,omitempty"` // nil when it never answered
	Failure      *Failure         `json:"failure,omitempty"`
	Verdict      verdict.Decision `json:"verdict"`
	Suites       []Suite          `json:"suites"`
}

// Hardware is what the firmware of a running system says of its machine, from DMI or the device
// tree. A field is empty where it does not say.
type Hardware struct {
	Vendor   string `json:"vendor,omitempty"`
	Product  string `json:"product,omitempty"`
	Board    string `json:"board,omitempty"`
	Firmware string `json:"firmware,omitempty"` // vendor, version and date
	// Unknown tells what could not be read, and why, or that nothing is said.
	Unknown string `json:"unknown,omitempty"`
}

// String returns the machine on one line; "" for nil.
func (h *Hardware) String() string {
	if h == nil {
		return ""
	}
	parts := []string{strings.TrimSpace(h.Vendor + " " + h.Product)}
	for _, of := range [][2]string{{"board", h.Board}, {"firmware", h.Firmware}} {
		if of[1] != "" {
			parts = append(parts, of[0]+" "+of[1])
		}
	}
	if parts[0] == "" {
		parts = parts[1:]
	}
	return strings.Join(parts, ", ")
}

// Runs returns the machine that the cell ran on: what QEMU emulated, or what the firmware says.
func (c CellReport) Runs() string {
	if c.Machine != "" {
		return c.Machine
	}
	return c.Hardware.String()
}

// Kernel is the kernel under test.
type Kernel struct {
	Release      string     `json:"release"` // uname -r of the guest; from the image when it never booted
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
	// Chain lists what a supplied kernel was wrapped in, outermost first. Entries
	// lists what the boot loader there offers, the default first.
	Chain   []string `json:"chain,omitempty"`
	Entries []string `json:"entries,omitempty"`
	// Policy lists what the kernel's system sets for its programs, each with the file
	// and line that says so. The guest was given every line without a reason in Left.
	Policy   []PolicyLine `json:"policy,omitempty"`
	Compiler string       `json:"compiler,omitempty"` // set when the kernel was built here
	Warning  string       `json:"warning,omitempty"`
}

// PolicyLine is one setting of a system.
type PolicyLine struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`
	// Left says why the guest was not given the setting; empty when it was.
	Left string `json:"left,omitempty"`
}

// Param is one kernel parameter and why it was given.
type Param struct {
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// Guest describes the programs that ran in the cell.
type Guest struct {
	Image string `json:"image"` // key of the guest image, which changes when its programs could
	Go    string `json:"go"`    // version of the toolchain that compiled them
	// Start says how each probe run got its fresh guest: "restored" from a snapshot,
	// "booted", or how many of each. BootReason says why any was booted.
	Start      string `json:"start"`
	BootReason string `json:"bootReason,omitempty"`
}

// Failure says why a cell did not finish.
type Failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// Suite is what one suite decided on the cell.
type Suite struct {
	Name string `json:"name"`
	verdict.Decision
}

// Lack is a feature that a cell's system does not have, or of which that could not be told.
type Lack struct {
	Cell    string   `json:"cell"`
	Feature string   `json:"feature"`
	Claims  []string `json:"claims"` // the IDs of those that were not decided, sorted
	Reason  string   `json:"reason"` // of the first: how it was seen
}

// lacks counts the undecided claims of sorted outcomes by what their system lacks.
func lacks(outcomes []verdict.Outcome) (all []Lack) {
	at := map[[2]string]int{}
	for _, o := range outcomes {
		if o.Feature == "" {
			continue
		}
		key := [2]string{o.Cell, o.Feature}
		i, known := at[key]
		if !known {
			i = len(all)
			at[key] = i
			all = append(all, Lack{Cell: o.Cell, Feature: o.Feature, Reason: o.Reason})
		}
		all[i].Claims = append(all[i].Claims, o.Claim)
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Cell != all[j].Cell {
			return all[i].Cell < all[j].Cell
		}
		return all[i].Feature < all[j].Feature
	})
	for i := range all {
		sort.Strings(all[i].Claims)
	}
	return all
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

// New makes a report: it computes the verdicts from the outcomes and sorts every
// list. It does not change its arguments.
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
	r.Lacks = lacks(r.Outcomes)
	if verdict.Recorded(r.Outcomes) {
		end := verdict.End(r.Outcomes)
		r.End = &end
	}

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

// The note on a report of a user-mode emulator, in both languages.
const (
	UserModeNote        = "what is decided here is how the emulator translates; this certifies no kernel"
	UserModeNoteChinese = "此处判定的只是模拟器如何翻译调用；不认证任何内核"
)

// UnknownMaker is the warning on a report of a kernel that nobody could download and somebody
// supplied. A certificate names its vendor; nothing in a run does.
func UnknownMaker(arch string) string {
	return fmt.Sprintf("a kernel of %s was tested; who made it is not known", arch)
}

// PartOfARun is the warning on the report of a shard, whose verdict is about a part of the cells.
func PartOfARun(shard string, cells, all int) string {
	return fmt.Sprintf("this is shard %s: the verdict is about %d of the %d cells of the run; mapstack merge joins the shards", shard, cells, all)
}

// ExitCode returns the exit status of the run. In a strict run every failure counts.
func (r Report) ExitCode(strict bool) int {
	switch {
	case r.End == nil:
		return r.Verdict.ExitCode
	case strict:
		return verdict.End(verdict.Strictly(r.Outcomes)).ExitCode
	}
	return r.End.ExitCode
}

// AsKnown reports whether a cell does not conform and all of its failing MUSTs are known.
func (r Report) AsKnown(cell string) bool {
	known := false
	for _, o := range r.Outcomes {
		if o.Cell != cell || o.Level != verdict.Must || o.Status != verdict.Fail || o.Accepted() {
			continue
		}
		if !o.AsKnown() {
			return false
		}
		known = true
	}
	return known
}

// Emulated reports whether a cell was a user-mode emulator and not a kernel.
func (r Report) Emulated() bool {
	return slices.ContainsFunc(r.Cells, func(c CellReport) bool { return c.Target == "user" })
}

// list copies a slice. JSON then has [] where there is nothing, and never null.
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
