package spec

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/reporters"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

func given(cell, claim string, status verdict.Status, reason string) Case {
	return Case{Arch: "amd64", Sentence: "It holds.", Outcome: verdict.Outcome{
		Cell: cell, Suite: "mapstack", Claim: claim, Level: verdict.Must, Status: status, Reason: reason,
	}}
}

// run runs cases and reads the JUnit report back.
func run(t *testing.T, cases []Case) (bool, reporters.JUnitTestSuite, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "junit.xml")
	var log bytes.Buffer
	ok, err := Run(cases, path, &log)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var suites reporters.JUnitTestSuites
	if err := xml.Unmarshal(text, &suites); err != nil {
		t.Fatal(err)
	}
	if len(suites.TestSuites) != 1 {
		t.Fatalf("%d suites in the report", len(suites.TestSuites))
	}
	return ok, suites.TestSuites[0], log.String()
}

func TestJUnitSaysWhatTheOutcomesSay(t *testing.T) {
	deviating := given("a", "MS-006", verdict.Fail, "expected none")
	deviating.Outcome.Deviation = verdict.Deviation{Reason: "back-ported", Source: "changelog"}
	should := given("a", "MS-007", verdict.Fail, "expected nh")
	should.Outcome.Level = verdict.Should
	asKnown, stale := given("b", "MS-002", verdict.Fail, "expected 0 kB"), given("b", "MS-003", verdict.Pass, "")
	asKnown.Outcome.Known = verdict.Known{Reason: "a page is freed", Link: "https://example.org/a"}
	stale.Outcome.Known = verdict.Known{Reason: "r", Place: "known.yaml:9"}
	ok, suite, log := run(t, []Case{
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
	if ok {
		t.Error("a suite with failures reported success")
	}
	want := []struct{ name, status, text string }{
		{"a mapstack MS-001 It holds.", "passed", ""},
		{"a mapstack MS-002 It holds.", "failed", "fail: expected rw-p"},
		{"a mapstack MS-003 It holds.", "failed", "error: no transcript"},
		{"a mapstack MS-004 It holds.", "failed", "not-run: did not boot"},
		{"a mapstack MS-005 It holds.", "pending", "no such flag here ever never"},
		{"a mapstack MS-006 It holds.", "passed", "fail, as a deviation accepts: back-ported (changelog)"},
		{"a mapstack MS-007 It holds.", "passed", `fail (SHOULD): "expected nh"`},
		{"b mapstack MS-001 It holds.", "passed", ""},
		{"b mapstack MS-002 It holds.", "passed", "fail, as known: a page is freed (https://example.org/a): \"expected 0 kB\""},
		{"b mapstack MS-003 It holds.", "failed", "MS-003 holds on b, and known.yaml:9 says that it fails there"},
	}
	if len(suite.TestCases) != len(want) {
		t.Fatalf("%d test cases, want %d", len(suite.TestCases), len(want))
	}
	for i, w := range want {
		c := suite.TestCases[i]
		if c.Name != w.name || c.Status != w.status {
			t.Errorf("test case %d is %q, %s; want %q, %s", i, c.Name, c.Status, w.name, w.status)
		}
		said := ""
		if c.Failure != nil {
			said = c.Failure.Message
		}
		if c.Properties != nil {
			for _, p := range c.Properties.Properties {
				said += p.Name + ": " + p.Value
			}
		}
		if !strings.Contains(said, w.text) {
			t.Errorf("%s says %q, want %q", w.name, said, w.text)
		}
	}
	if suite.Failures != 4 || suite.Disabled != 1 {
		t.Errorf("%d failures, %d disabled", suite.Failures, suite.Disabled)
	}
	if !strings.Contains(log, "expected rw-p") || !strings.Contains(log, "fail (SHOULD)") {
		t.Errorf("Ginkgo's output went elsewhere; the log has:\n%s", log)
	}
}

// TestGinkgoSucceedsExactlyWhenTheRunEndsWell fails if the JUnit report could contradict the
// exit status.
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
					if ok, _, _ := run(t, cases); ok != (end.ExitCode == verdict.ExitConformant) {
						t.Errorf("%s %s %+v among %d: success %v, %+v", level, status, known, len(cases), ok, end)
					}
				}
			}
		}
	}
	if ok, suite, _ := run(t, nil); ok || suite.Failures != 1 {
		t.Errorf("nothing to decide: success %v, %d failures in the report", ok, suite.Failures)
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
		_, suite, _ := run(t, cases)
		for _, c := range suite.TestCases {
			list = append(list, c.Name)
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
	good := filepath.Join(t.TempDir(), "junit.xml")
	for name, tc := range map[string]struct {
		cases []Case
		path  string
	}{
		"label with a comma":       {[]Case{given("a,b", "MS-001", verdict.Pass, "")}, good},
		"label with a space":       {[]Case{given("a b", "MS-001", verdict.Pass, "")}, good},
		"no cell name":             {[]Case{given("", "MS-001", verdict.Pass, "")}, good},
		"report cannot be written": {[]Case{given("a", "MS-001", verdict.Pass, "")}, filepath.Join(good, "x", "junit.xml")},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "report cannot be written" {
				if err := os.WriteFile(good, nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if ok, err := Run(tc.cases, tc.path, &bytes.Buffer{}); err == nil {
				t.Errorf("no error, success %v", ok)
			}
		})
	}
}

func TestUnsupportedWithoutReasonStillMakesALabel(t *testing.T) {
	for _, reason := range []string{"", "()", "\n"} {
		ok, suite, _ := run(t, []Case{given("a", "MS-001", verdict.Unsupported, reason), given("a", "MS-002", verdict.Pass, "")})
		if !ok || len(suite.TestCases) != 2 {
			t.Errorf("reason %q: success %v, %d cases", reason, ok, len(suite.TestCases))
		}
	}
}
