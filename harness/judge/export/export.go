// Package export writes a report in the formats of others: a summary in Markdown, KTAP, KCIDB
// and the forms of openEuler's evaluation of systems.
package export

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/judge/certificate"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// Input is what a format is written of.
type Input struct {
	Report report.Report
	Cells  []evidence.CellRun // the evidence of the report
	// Language is that of a summary. The other formats have a language of their own.
	Language language.Language
	Strict   bool   // known failures count
	Origin   string // the CI system that submits to KCIDB; "" for DefaultOrigin
	// Suites says what each suite is about, by its name. Vendor is whose product is evaluated; the
	// zero Vendor if that is not known. openEuler's forms have both.
	Suites map[string]report.Text
	Vendor certificate.Vendor
}

// outcomes returns the outcomes of the report as they count.
func (in Input) outcomes() []verdict.Outcome {
	if in.Strict {
		return verdict.Strictly(in.Report.Outcomes)
	}
	return in.Report.Outcomes
}

// of returns the outcomes that count, by cell, each in the order of the report.
func (in Input) of() map[string][]verdict.Outcome {
	all := map[string][]verdict.Outcome{}
	for _, o := range in.outcomes() {
		all[o.Cell] = append(all[o.Cell], o)
	}
	return all
}

// claims returns the claims of the report by their IDs.
func (in Input) claims() map[string]report.Claim {
	all := map[string]report.Claim{}
	for _, c := range in.Report.Claims {
		all[c.ID] = c
	}
	return all
}

// File is one file of a format.
type File struct {
	Name string
	Data []byte
}

// format is a way to write a report.
type format struct {
	name  string
	write func(Input) ([]File, error)
	// certain says that the format has no place to say that results are not of a kernel.
	certain bool
}

func formats() []format {
	return []format{
		{"markdown", markdown, false},
		{"ktap", ktap, true},
		{"kcidb", kcidb, true},
		{"osv", osv, true},
	}
}

// Names returns the names of the formats.
func Names() (all []string) {
	for _, f := range formats() {
		all = append(all, f.name)
	}
	return all
}

// Write returns the files of a format. The same report always gives the same bytes. It returns
// an error for a name that is not one of Names, and for results that are not of a kernel, if
// the format has no place to say so.
func Write(name string, in Input) ([]File, error) {
	for _, f := range formats() {
		switch r := in.Report; {
		case f.name != name:
			continue
		case f.certain && r.Defect != nil:
			return nil, fmt.Errorf("the run is under the injected defect %q, and %s has no place to say so; export a run without a defect, or as markdown", r.Defect.Name, name)
		case f.certain && r.Emulated():
			return nil, fmt.Errorf("the run tested a user-mode emulator and no kernel, and %s has no place to say so; export it as markdown", name)
		}
		return f.write(in)
	}
	return nil, fmt.Errorf("there is no format %q; the formats are %s", name, strings.Join(Names(), ", "))
}

// emulator returns the version of the QEMU with a build; "" for none.
func emulator(r report.Report, build string) string {
	for _, q := range r.Header.QEMU {
		if q.Build == build {
			return q.Version
		}
	}
	return ""
}

// source names the package or file that a kernel is from.
func source(c report.CellReport) string {
	p := c.Kernel.Provenance
	return strings.TrimSpace(cmp.Or(p.Package, p.Filename) + " " + p.Version)
}

// checksum returns the SHA-256 of the package or file that a kernel is from, or of its image.
func checksum(c report.CellReport) string {
	return cmp.Or(c.Kernel.Provenance.SHA256, c.Kernel.ImageSHA256)
}

// cut returns the beginning of a text, of at most n bytes and three more for the mark that
// shows the cut.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
