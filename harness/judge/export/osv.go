package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/arch"
)

// osvRecord is a system in the list of systems that openEuler has evaluated (OSV技术测评). Fields
// of which a run knows nothing are "", for the vendor to fill in.
type osvRecord struct {
	Arch                 string      `json:"arch"`    // as uname -m says
	OSVName              string      `json:"osvName"` // the vendor's
	OSVersion            string      `json:"osVersion"`
	OSDownloadLink       string      `json:"osDownloadLink"`
	Type                 string      `json:"type"`
	Date                 string      `json:"date"` // on which the run began
	Details              string      `json:"details"`
	FriendlyLink         string      `json:"friendlyLink"`
	TotalResult          string      `json:"totalResult"` // of platform
	Checksum             string      `json:"checksum"`    // as sha256sum prints it, with what it is of
	BaseOpenEulerVersion string      `json:"baseOpeneulerVersion"`
	ToolsResult          []osvResult `json:"toolsResult"` // of comparing packages, which mapstack does not do
	PlatformResult       []osvResult `json:"platformResult"`
}

// osvResult is one item of an evaluation.
type osvResult struct {
	Name    string `json:"name"`
	Percent string `json:"percent"` // of the decided claims, how many hold; "" if none was decided
	Result  string `json:"result"`
}

// The results of an item. The list takes everything but the first for a failure.
const (
	osvPass       = "pass"
	osvFail       = "fail"
	osvIncomplete = "incomplete"
	osvUnneeded   = "unsupported" // nothing of the item applies
)

// evaluation is what was decided on one architecture.
type evaluation struct {
	arch     string // as uname -m says, without characters that a file's name must not have
	cells    []report.CellReport
	outcomes []verdict.Outcome // of all cells
}

// item is one suite on one cell.
type item struct {
	name     string // of the suite, and of the cell if there are more than one
	suite    report.Suite
	outcomes []verdict.Outcome
}

// osv writes the forms of openEuler's evaluation: a workbook for each architecture, and a list of
// records for all of them.
func osv(in Input) ([]File, error) {
	if in.Report.Focus != "" {
		return nil, fmt.Errorf("only %q was asked of the kernels, and an evaluation is about all claims; run the cells without --focus", in.Report.Focus)
	}
	records, files := []osvRecord{}, []File{}
	for _, e := range in.evaluations() {
		book, err := in.workbook(e)
		if err != nil {
			return nil, fmt.Errorf("write the workbook for %s: %w", e.arch, err)
		}
		files = append(files, File{"osv-" + e.arch + ".xlsx", book})
		records = append(records, in.record(e))
	}
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetIndent("", "  ")
	w.SetEscapeHTML(false)
	if err := w.Encode(records); err != nil {
		return nil, fmt.Errorf("write the list of systems: %w", err)
	}
	return append(files, File{"osv.json", foreign.JSON(b.Bytes())}), nil
}

// evaluations returns the cells by architecture, in the order of the report.
func (in Input) evaluations() (all []*evaluation) {
	of := in.of()
	for _, c := range in.Report.Cells {
		name := c.Arch
		if r, err := arch.Lookup(c.Arch); err == nil {
			name = r.Uname
		}
		name = step(name)
		i := slices.IndexFunc(all, func(e *evaluation) bool { return e.arch == name })
		if i < 0 {
			i, all = len(all), append(all, &evaluation{arch: name})
		}
		all[i].cells = append(all[i].cells, c)
		all[i].outcomes = append(all[i].outcomes, of[c.Name]...)
	}
	slices.SortFunc(all, func(a, b *evaluation) int { return strings.Compare(a.arch, b.arch) })
	return all
}

// items returns the suites of all cells.
func (e *evaluation) items() (all []item) {
	for _, c := range e.cells {
		for _, s := range c.Suites {
			i := item{name: s.Name, suite: s}
			if len(e.cells) > 1 {
				i.name += "（" + c.Name + "）"
			}
			for _, o := range e.outcomes {
				if o.Cell == c.Name && o.Suite == s.Name {
					i.outcomes = append(i.outcomes, o)
				}
			}
			all = append(all, i)
		}
	}
	return all
}

// total decides all cells together. A cell without outcomes was not tested.
func (e *evaluation) total() verdict.Decision {
	d := verdict.Decide(e.outcomes)
	for _, c := range e.cells {
		if d.Verdict == verdict.Conformant && c.Verdict.Counts.Total() == 0 {
			return c.Verdict
		}
	}
	return d
}

// result names a decision.
func result(d verdict.Decision) string {
	switch {
	case d.Verdict == verdict.Conformant:
		return osvPass
	case d.Verdict == verdict.NonConformant:
		return osvFail
	case d.Counts.Unsupported > 0 && d.Counts.Unsupported == d.Counts.Total():
		return osvUnneeded
	}
	return osvIncomplete
}

// percent returns how many of the decided claims hold. It is "100%" only for all of them.
func percent(n verdict.Counts) string {
	if n.Pass+n.Fail == 0 {
		return ""
	}
	tenths := math.Floor(1000 * float64(n.Pass) / float64(n.Pass+n.Fail))
	return strings.TrimSuffix(fmt.Sprintf("%.1f", tenths/10), ".0") + "%"
}

func (in Input) record(e *evaluation) osvRecord {
	r := osvRecord{Arch: e.arch, OSVName: line(in.Vendor.Organisation), OSVersion: in.system(e), Date: in.Report.Header.Started.Format("2006-01-02"),
		FriendlyLink: line(in.Vendor.Links.Website), TotalResult: result(e.total()), Checksum: sums(e), ToolsResult: []osvResult{}, PlatformResult: []osvResult{}}
	for _, i := range e.items() {
		r.PlatformResult = append(r.PlatformResult, osvResult{line(i.name), percent(i.suite.Counts), result(i.suite.Decision)})
	}
	return r
}

// system names the product of the vendor, or what the cells say of their system.
func (in Input) system(e *evaluation) string {
	if in.Vendor.Product != "" {
		return line(in.Vendor.Product + " " + in.Vendor.Version)
	}
	return each(e, func(c report.CellReport) string { return line(c.OS) })
}

// sums returns the hashes of what the kernels are from, as sha256sum prints them.
func sums(e *evaluation) string {
	return each(e, func(c report.CellReport) string {
		if checksum(c) == "" {
			return ""
		}
		return line(strings.TrimSpace(checksum(c) + "  " + source(c)))
	})
}

// each returns what is said of the cells, each thing once, on a line of its own.
func each(e *evaluation, of func(report.CellReport) string) string {
	var all []string
	for _, c := range e.cells {
		if s := of(c); s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return strings.Join(all, "\n")
}
