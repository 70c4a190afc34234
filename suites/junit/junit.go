// Package junit writes a report as JUnit, and lets Ginkgo decide the same outcomes. It is a
// package of its own so that judging does not link Ginkgo.
package junit

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/onsi/ginkgo/v2/reporters"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites"
	"github.com/mapstack/conformance/suites/internal/spec"
)

// Succeeds reports whether Ginkgo's suite succeeds with the outcomes as its specs. It does so
// exactly when a run with them ends with 0. Ginkgo's own output goes to log. Calls must not
// overlap.
func Succeeds(outcomes []verdict.Outcome, cells []evidence.CellRun, log io.Writer) (bool, error) {
	arch := map[string]string{}
	for _, c := range cells {
		arch[c.Cell.Name] = c.Cell.Arch
	}
	ran, err := spec.Run(spec.Cases(suites.All(), outcomes, arch), log)
	return ran.SuiteSucceeded, err
}

// Write writes the report as JUnit: a test suite for each cell, a test case for each claim.
// Something failed or broke in it exactly when the run ends with another status than 0.
func Write(w io.Writer, r report.Report, strict bool) error {
	b, err := xml.MarshalIndent(document(r, strict), "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, b)
	}
	if err != nil {
		return fmt.Errorf("write the JUnit report: %w", err)
	}
	return nil
}

// document turns a report into the types that Ginkgo has for JUnit.
func document(r report.Report, strict bool) reporters.JUnitTestSuites {
	outcomes := r.Outcomes
	if strict {
		outcomes = verdict.Strictly(outcomes)
	}
	of := map[string][]verdict.Outcome{}
	for _, o := range outcomes {
		of[o.Cell] = append(of[o.Cell], o)
	}
	w := writer{r, map[string]report.Claim{}}
	for _, c := range r.Claims {
		w.claims[c.ID] = c
	}
	var all reporters.JUnitTestSuites
	add := func(s reporters.JUnitTestSuite) {
		all.Tests, all.Errors, all.Failures = all.Tests+s.Tests, all.Errors+s.Errors, all.Failures+s.Failures
		all.Disabled, all.Time = all.Disabled+s.Skipped, all.Time+s.Time
		all.TestSuites = append(all.TestSuites, s)
	}
	for _, c := range r.Cells {
		add(w.suite(c, of[c.Name]))
	}
	if code := r.ExitCode(strict); code != verdict.ExitConformant && all.Errors+all.Failures == 0 {
		// No claim failed, and still not everything was decided.
		add(reporters.JUnitTestSuite{Name: "mapstack", Package: "mapstack", Tests: 1, Errors: 1, Timestamp: w.started(), TestCases: []reporters.JUnitTestCase{{
			Name: "verdict", Classname: "mapstack", Status: string(r.Verdict.Verdict),
			Error: &reporters.JUnitError{Type: string(r.Verdict.Verdict), Message: r.Verdict.Reason, Description: fmt.Sprintf("exit status %d", code)},
		}}})
	}
	return all
}

// writer writes the parts of one report.
type writer struct {
	report.Report
	claims map[string]report.Claim
}

func (w writer) started() string { return w.Header.Started.Format("2006-01-02T15:04:05") }

func (w writer) suite(c report.CellReport, outcomes []verdict.Outcome) reporters.JUnitTestSuite {
	s := reporters.JUnitTestSuite{Name: c.Name, Package: "mapstack", Time: w.Header.Seconds[c.Name], Timestamp: w.started()}
	k := c.Kernel
	s.Properties.Properties = properties(
		"verdict", string(c.Verdict.Verdict), "arch", c.Arch, "product", w.Product.String(), "os", c.OS, "machine", c.Runs(),
		"kernel", k.Release, "package", k.Provenance.Package, "packageVersion", k.Provenance.Version,
		"packageSha256", k.Provenance.SHA256, "imageSha256", k.ImageSHA256,
		"qemu", w.emulator(c.QEMU), "accelerator", c.Accelerator, "suiteVersion", w.Header.Tool.Version,
		"revision", w.Header.Tool.Revision, "focus", w.Focus)
	readers := map[string]int{}
	for _, o := range outcomes {
		readers[o.Probe]++
	}
	for _, o := range outcomes {
		t := w.test(o)
		// The claims of a probe share its time, so that the times add up.
		t.Time = math.Round(1000*w.Header.ProbeSeconds[o.Cell][o.Probe]/float64(readers[o.Probe])) / 1000
		s.Tests++
		switch {
		case t.Skipped != nil:
			s.Skipped++
		case t.Error != nil:
			s.Errors++
		case t.Failure != nil:
			s.Failures++
		}
		s.TestCases = append(s.TestCases, t)
	}
	return s
}

// emulator returns the version of the QEMU with a build.
func (w writer) emulator(build string) string {
	for _, q := range w.Header.QEMU {
		if q.Build == build {
			return q.Version
		}
	}
	return ""
}

func (w writer) test(o verdict.Outcome) reporters.JUnitTestCase {
	c := w.claims[o.Claim]
	t := reporters.JUnitTestCase{
		Name: o.Claim, Classname: o.Cell + "." + o.Suite, Status: string(o.Status),
		SystemOut: summary.Repeat(w.Report, o.Cell, o.Claim),
		Properties: &reporters.JUnitProperties{Properties: properties("sentence", c.English, "sentence.zh", c.Chinese, "level", string(o.Level),
			"probe", o.Probe, "expected", o.Expected, "observed", o.Observed, "evidence", o.Where.Path, "step", o.Where.Step)},
	}
	text := foreign.Lines(cmp.Or(o.Text(), string(o.Status)))
	first, _, _ := strings.Cut(text, "\n")
	skip := func(why string) { t.Skipped = &reporters.JUnitSkipped{Message: foreign.Text(why)} }
	switch {
	case o.Stale():
		t.Error = &reporters.JUnitError{Type: "stale", Message: o.Advice()}
	case o.Status == verdict.Pass:
	case o.Status == verdict.Unsupported:
		skip(strings.ReplaceAll(text, "\n", "; "))
	case o.Accepted():
		skip(fmt.Sprintf("fails, as a deviation accepts: %s (%s)", o.Deviation.Reason, o.Deviation.Source))
	case o.AsKnown():
		skip(fmt.Sprintf("fails, as known: %s (%s)", o.Known.Reason, o.Known.Link))
	case o.Harmless():
		skip(fmt.Sprintf("%s; a %s changes no verdict: %s", o.Status, o.Level, first))
	case o.Status == verdict.Fail:
		t.Failure = &reporters.JUnitFailure{Type: string(o.Level), Message: first, Description: text}
	default:
		t.Error = &reporters.JUnitError{Type: string(o.Status), Message: first, Description: text}
	}
	return t
}

// properties returns the pairs of names and values that have a value.
func properties(pairs ...string) (all []reporters.JUnitProperty) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all = append(all, reporters.JUnitProperty{Name: pairs[i], Value: foreign.Text(pairs[i+1])})
		}
	}
	return all
}
