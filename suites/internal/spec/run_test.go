package spec

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

func given(cell, claim string, status verdict.Status, reason string) Case {
	return Case{Arch: "amd64", Sentence: "It holds.", Outcome: verdict.Outcome{
		Cell: cell, Suite: "mapstack", Claim: claim, Level: verdict.Must, Status: status, Reason: reason,
	}}
}

// run runs cases and returns Ginkgo's report, with the specs alone, and its output.
func run(t *testing.T, cases []Case) (ginkgo.Report, string) {
	t.Helper()
	var log bytes.Buffer
	r, err := Run(cases, &log)
	if err != nil {
		t.Fatal(err)
	}
	r.SpecReports = r.SpecReports.WithLeafNodeType(types.NodeTypeIt)
	return r, log.String()
}

func TestGinkgoSaysWhatTheOutcomesSay(t *testing.T) {
	deviating := given("a", "MS-006", verdict.Fail, "expected none")
	deviating.Outcome.Deviation = verdict.Deviation{Reason: "back-ported", Source: "changelog"}
	should := given("a", "MS-007", verdict.Fail, "expected nh")
	should.Outcome.Level = verdict.Should
	asKnown, stale := given("b", "MS-002", verdict.Fail, "expected 0 kB"), given("b", "MS-003", verdict.Pass, "")
	asKnown.Outcome.Known = verdict.Known{Reason: "a page is freed", Link: "https://example.org/a"}
	stale.Outcome.Known = verdict.Known{Reason: "r", Place: "known.yaml:9"}
	r, log := run(t, []Case{
		given("a", "MS-001", verdict.Pass, ""),
		given("a", "MS-002", verdict.Fail, "expected rw-p"),
		given("a", "MS-003", verdict.Error, "no transcript"),
		given("a", "MS-004", verdict.NotRun, "did not boot"),
		given("a", "MS-005", verdict.Unsupported, `no such flag (here), "ever"/never`),
		deviating,
		should,
		given("b", "MS-001", verdict.Pass, ""),
		asKnown, stale,
	})
	if r.SuiteSucceeded {
		t.Error("a suite with failures reported success")
	}
	want := []struct{ name, status, text string }{
		{"a mapstack MS-001 It holds.", "passed", ""},
		{"a mapstack MS-002 It holds.", "failed", "fail: expected rw-p"},
		{"a mapstack MS-003 It holds.", "failed", "error: no transcript"},
		{"a mapstack MS-004 It holds.", "failed", "not-run: did not boot"},
		{"a mapstack MS-005 It holds.", "pending", "no such flag here ever never"},
		{"a mapstack MS-006 It holds.", "passed", "fail, as a deviation accepts: back-ported (changelog)"},
		{"a mapstack MS-007 It holds.", "passed", `fail (SHOULD): expected nh`},
		{"b mapstack MS-001 It holds.", "passed", ""},
		{"b mapstack MS-002 It holds.", "passed", "fail, as known: a page is freed (https://example.org/a): expected 0 kB"},
		{"b mapstack MS-003 It holds.", "failed", "MS-003 holds on b, and known.yaml:9 says that it fails there"},
	}
	if len(r.SpecReports) != len(want) {
		t.Fatalf("%d specs, want %d", len(r.SpecReports), len(want))
	}
	for i, w := range want {
		c := r.SpecReports[i]
		if name := strings.TrimSpace(c.FullText()); name != w.name || c.State.String() != w.status {
			t.Errorf("spec %d is %q, %s; want %q, %s", i, name, c.State, w.name, w.status)
		}
		said := c.Failure.Message + strings.Join(c.Labels(), " ")
		for _, e := range c.ReportEntries {
			said += e.Name + ": " + e.StringRepresentation()
		}
		if !strings.Contains(said, w.text) {
			t.Errorf("%s says %q, want %q", w.name, said, w.text)
		}
	}
	if !strings.Contains(log, "expected rw-p") || !strings.Contains(log, "fail (SHOULD)") {
		t.Errorf("Ginkgo's output went elsewhere; the log has:\n%s", log)
	}
}

// TestGinkgoSucceedsExactlyWhenTheRunEndsWell fails if Ginkgo could contradict the exit status.
func TestGinkgoSucceedsExactlyWhenTheRunEndsWell(t *testing.T) {
	pass := given("a", "MS-001", verdict.Pass, "")
	record := verdict.Known{Reason: "r", Link: "l", Place: "f:1"}
	over := record
	over.Over = "its last day has passed"
	for _, status := range []verdict.Status{verdict.Pass, verdict.Unsupported, verdict.Fail, verdict.Error, verdict.NotRun, "maybe"} {
		for _, level := range []verdict.Level{verdict.Must, verdict.Should, verdict.May} {
			for _, known := range []verdict.Known{{}, record, over} {
				if (known != verdict.Known{}) && level != verdict.Must {
					continue // only a MUST is a known failure
				}
				other := given("a", "MS-002", status, "why")
				other.Outcome.Level, other.Outcome.Known = level, known
				for _, cases := range [][]Case{{pass, other}, {other}} {
					var outcomes []verdict.Outcome
					for _, c := range cases {
						outcomes = append(outcomes, c.Outcome)
					}
					end := verdict.End(outcomes)
					if r, _ := run(t, cases); r.SuiteSucceeded != (end.ExitCode == verdict.ExitConformant) {
						t.Errorf("%s %s %+v among %d: success %v, %+v", level, status, known, len(cases), r.SuiteSucceeded, end)
					}
				}
			}
		}
	}
	if r, _ := run(t, nil); r.SuiteSucceeded || len(r.SpecReports) != 1 {
		t.Errorf("nothing to decide: success %v, %d specs", r.SuiteSucceeded, len(r.SpecReports))
	}
}

func TestOrderOfSpecsDoesNotDependOnTheOrderOfCases(t *testing.T) {
	var cases []Case
	for _, cell := range []string{"a", "b", "c"} {
		for _, claim := range []string{"MS-001", "MS-002"} {
			cases = append(cases, given(cell, claim, verdict.Pass, ""))
		}
	}
	names := func() (list []string) {
		r, _ := run(t, cases)
		for _, c := range r.SpecReports {
			list = append(list, c.FullText())
		}
		return list
	}
	want := names()
	slices.Reverse(cases)
	if got := names(); !slices.Equal(got, want) || len(got) != len(cases) {
		t.Errorf("order\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestBadInputIsAnErrorAndNotTheEndOfTheProcess fails if Ginkgo ends the process when
// a name is bad, and with it the run whose results are being written.
func TestBadInputIsAnErrorAndNotTheEndOfTheProcess(t *testing.T) {
	for _, cell := range []string{"a,b", "a b", ""} {
		if r, err := Run([]Case{given(cell, "MS-001", verdict.Pass, "")}, &bytes.Buffer{}); err == nil {
			t.Errorf("cell %q: no error, success %v", cell, r.SuiteSucceeded)
		}
	}
}

func TestUnsupportedWithoutReasonStillMakesALabel(t *testing.T) {
	for _, reason := range []string{"", "()", "\n"} {
		r, _ := run(t, []Case{given("a", "MS-001", verdict.Unsupported, reason), given("a", "MS-002", verdict.Pass, "")})
		if !r.SuiteSucceeded || len(r.SpecReports) != 2 {
			t.Errorf("reason %q: success %v, %d specs", reason, r.SuiteSucceeded, len(r.SpecReports))
		}
	}
}
