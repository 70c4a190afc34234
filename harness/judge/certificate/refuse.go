package certificate

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Refusal is one reason why there is no certificate.
type Refusal struct {
	Why string // one line
	// Incomplete reports that something was not decided; else something is not as it must be.
	Incomplete bool
}

// ExitCode returns the exit status that reasons give: 2 if things were not decided, and
// nothing else is wrong.
func ExitCode(reasons []Refusal) int {
	code := verdict.ExitConformant
	for _, r := range reasons {
		if !r.Incomplete {
			return verdict.ExitNonConformant
		}
		code = verdict.ExitIncomplete
	}
	return code
}

// Refusals lists every reason why a run gets no certificate.
func Refusals(in Inputs) (all []Refusal) {
	refuse := func(format string, args ...any) { all = append(all, Refusal{Why: fmt.Sprintf(format, args...)}) }
	if in.Run.Focus != "" {
		refuse("the run was narrowed to %s; run it without --focus", in.Run.Focus)
	}
	if in.Run.Defect != "" {
		refuse("the defect %s was injected; run without --defect", in.Run.Defect)
	}
	ran := day(in.Run.Started)
	switch made := day(in.Made); {
	case ran.After(made):
		refuse("the run is of %s, which is not yet; set the clock of this machine, or of the one that ran it", ran.Format(time.DateOnly))
	case made.After(end(ran)):
		refuse("the run is of %s, and a certificate of it ended on %s; run it again", ran.Format(time.DateOnly), end(ran).Format(time.DateOnly))
	}
	for _, c := range in.Cells {
		for _, why := range unfit(c) {
			refuse("cell %s: %s", c.Cell.Name, why)
		}
	}
	for _, o := range in.Outcomes {
		all = append(all, against(o, ran)...)
	}
	if d := verdict.Decide(in.Outcomes); d.Verdict != verdict.Conformant && len(all) == 0 {
		all = append(all, Refusal{"the verdict is " + string(d.Verdict) + ": " + d.Reason, d.Verdict == verdict.Incomplete})
	}
	return all
}

// against returns what an outcome of a run on a day has against a certificate.
func against(o verdict.Outcome, ran time.Time) []Refusal {
	first, _, _ := strings.Cut(o.Reason, "\n")
	test := fmt.Sprintf("%s, a %s, on cell %s", o.Claim, o.Level, o.Cell)
	switch {
	case o.Status == verdict.Pass || o.Status == verdict.Unsupported:
		return nil
	case o.Accepted():
		return record(test, o.Deviation, ran)
	case o.Status == verdict.Fail && (o.Level == verdict.Must || strings.HasPrefix(o.Reason, verdict.StaleDeviation)):
		return []Refusal{{Why: test + ", does not hold: " + first}}
	case o.Status == verdict.Fail:
		return nil
	case o.Status == verdict.NotRun:
		return []Refusal{{test + ", was not decided: " + first, true}}
	}
	return []Refusal{{test + ", ended in an error: " + first, true}}
}

// page matches a heading of the documents, as the records of fixtures link to it.
var page = regexp.MustCompile(`^docs/[A-Za-z0-9._-]+\.md#[\w-]+$`)

// record returns why a certificate cannot rest on a deviation.
func record(test string, d verdict.Deviation, ran time.Time) (all []Refusal) {
	refuse := func(why string) {
		all = append(all, Refusal{Why: test + ", fails as a deviation accepts, and the deviation " + why})
	}
	if d.Reason == "" {
		refuse("has no reason")
	}
	if !web(d.Source) && !page.MatchString(d.Source) {
		refuse(fmt.Sprintf("has no link: its source is %q, and must be a URL or like docs/findings.md#heading", d.Source))
	}
	if last, err := time.Parse(time.DateOnly, d.Until); d.Until != "" && (err != nil || ran.After(last)) {
		refuse("is past its end, " + d.Until)
	}
	return all
}

// unfit returns why a cell is none that a vendor can have certified.
func unfit(c evidence.CellRun) (all []string) {
	switch cell := c.Cell; {
	case cell.Host == matrix.UserMode:
		all = append(all, "it is a user-mode emulator, and no kernel was tested")
	case cell.Host == matrix.Native || cell.Host == matrix.SSH:
		all = append(all, "it is a system that ran already, and nothing shows which package its kernel is of; run the package with --kernel, or the whole system with --full-boot")
	case cell.Tier == matrix.Twin || cell.Tier == matrix.Model:
		all = append(all, fmt.Sprintf("it is a %s and no kernel of the vendor; name the vendor's cell alone with --cell", cell.Tier))
	case cell.Host == "" && cell.Kernel.From != matrix.Given && cell.Kernel.From != matrix.Supplied:
		all = append(all, "it is a cell of the built-in matrix, and its kernel was not given by the vendor; give one with --kernel or --os-image")
	}
	if c.Cell.Focus != "" {
		all = append(all, "only "+c.Cell.Focus+" was checked on it")
	}
	for _, p := range c.Cell.Params {
		all = append(all, fmt.Sprintf("the kernel was given the parameter %s, with which it is not shipped", p.Value))
	}
	if p := c.Cell.Policy; c.Cell.Kernel.From == matrix.Given && len(p) > 0 && (c.Kernel == nil || len(c.Kernel.Provenance.Policy) == 0) {
		all = append(all, fmt.Sprintf("the guest was given the setting %s by a matrix file, and no image shows that the product has it; run the product's disk image", p[0].Name))
	}
	if c.QEMU != nil {
		for _, p := range c.QEMU.Params {
			if p.Reason == arch.Asked {
				all = append(all, fmt.Sprintf("the kernel was given the parameter %s, with which it is not shipped; run it without --kernel-arg", p.Value))
			}
		}
	}
	if c.Kernel == nil || !sha256Hex(c.Kernel.Provenance.SHA256) || c.Kernel.ImageSHA256 != "" && !sha256Hex(c.Kernel.ImageSHA256) {
		all = append(all, "the evidence has no SHA-256 of what was tested")
	}
	return all
}

// sha256Hex reports whether a text is a SHA-256 as an in-toto digest has it.
func sha256Hex(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && strings.ToLower(s) == s
}
