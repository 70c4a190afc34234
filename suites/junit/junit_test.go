package junit

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	reader "github.com/joshdk/go-junit"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/suites"
)

// read writes a report and reads it back as another program would.
func read(t *testing.T, r report.Report, strict bool) []reader.Suite {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, strict); err != nil {
		t.Fatal(err)
	}
	suites, err := reader.Ingest(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return suites
}

func reported(outcomes ...verdict.Outcome) report.Report {
	h := report.Header{Started: time.Unix(1e9, 0), Seconds: map[string]float64{"a": 9}, ProbeSeconds: map[string]map[string]float64{"a": {"p": 3}},
		QEMU: []report.QEMU{{Build: "b", Version: "10.0.2"}}}
	cell := report.CellReport{Name: "a", Arch: "amd64", QEMU: "b", Accelerator: "tcg", Kernel: report.Kernel{Release: "6.1", Provenance: report.Provenance{Package: "linux-image"}}}
	return report.New(h, "", []report.CellReport{cell}, []report.Claim{{ID: "MS-001", English: "It <holds>."}}, outcomes)
}

func outcome(claim string, status verdict.Status) verdict.Outcome {
	o := verdict.Outcome{Cell: "a", Suite: "mapstack", Claim: claim, Level: verdict.Must, Status: status, Probe: "p"}
	if status != verdict.Pass {
		o.Reason = "the subject\nmore"
	}
	if status == verdict.Fail {
		o.Expected, o.Observed = "rw-p", "\x1b[8m<r--p>"
	}
	return o
}

func TestJUnitSaysWhatTheOutcomesSay(t *testing.T) {
	accepted, known, should, stale := outcome("MS-006", verdict.Fail), outcome("MS-007", verdict.Fail), outcome("MS-008", verdict.Fail), outcome("MS-009", verdict.Pass)
	accepted.Deviation = verdict.Deviation{Reason: "back-ported", Source: "changelog"}
	known.Known = verdict.Known{Reason: "a page is freed", Link: "findings"}
	should.Level = verdict.Should
	stale.Known = verdict.Known{Reason: "r", Place: "known.yaml:9"}
	r := reported(outcome("MS-001", verdict.Pass), outcome("MS-002", verdict.Fail), outcome("MS-003", verdict.Error), outcome("MS-004", verdict.NotRun),
		outcome("MS-005", verdict.Unsupported), accepted, known, should, stale)
	got := read(t, r, false)
	if len(got) != 1 || got[0].Name != "a" || got[0].Properties["kernel"] != "6.1" || got[0].Properties["qemu"] != "10.0.2" || got[0].Properties["package"] != "linux-image" {
		t.Fatalf("suites %+v", got)
	}
	if n := got[0].Totals; n.Tests != 9 || n.Passed != 1 || n.Skipped != 4 || n.Failed != 1 || n.Error != 3 {
		t.Errorf("totals %+v", n)
	}
	var said []string
	for _, c := range got[0].Tests {
		line := c.Classname + " " + c.Name + " " + string(c.Status) + " " + c.Message
		if c.Error != nil {
			line += " | " + c.Error.Error()
		}
		said = append(said, line)
		if c.Duration != 333*time.Millisecond {
			t.Errorf("%s took %v", c.Name, c.Duration)
		}
		if want := "make conformance CELL=a FOCUS=" + c.Name; c.SystemOut != want {
			t.Errorf("%s: %q, want %q", c.Name, c.SystemOut, want)
		}
	}
	if d := cmp.Diff([]string{
		"a.mapstack MS-001 passed ",
		"a.mapstack MS-002 failed the subject | the subject\nmore\nexpected: rw-p\nobserved: \\u001b[8m<r--p>",
		"a.mapstack MS-003 error the subject | the subject\nmore",
		"a.mapstack MS-004 error the subject | the subject\nmore",
		"a.mapstack MS-005 skipped the subject; more",
		"a.mapstack MS-006 skipped fails, as a deviation accepts: back-ported (changelog)",
		"a.mapstack MS-007 skipped fails, as known: a page is freed (findings)",
		"a.mapstack MS-008 skipped fail; a SHOULD changes no verdict: the subject",
		"a.mapstack MS-009 error MS-009 holds on a, and known.yaml:9 says that it fails there: remove that line, or the whole entry if it has no other cell | " + stale.Advice(),
	}, said); d != "" {
		t.Error(d)
	}
	if p := document(r, false).TestSuites[0].TestCases[0].Properties; p.WithName("sentence") != "It <holds>." || p.WithName("level") != "MUST" {
		t.Errorf("properties %v", p)
	}
	if n := read(t, r, true)[0].Totals; n.Failed != 2 {
		t.Errorf("strict: %+v", n)
	}
}

// TestJUnitSucceedsExactlyWhenTheRunEndsWell fails if a CI system that reads JUnit could
// contradict one that reads the exit status.
func TestJUnitSucceedsExactlyWhenTheRunEndsWell(t *testing.T) {
	record := verdict.Known{Reason: "r", Link: "l", Place: "f:1"}
	over := record
	over.Over = "its last day has passed"
	for _, status := range []verdict.Status{verdict.Pass, verdict.Unsupported, verdict.Fail, verdict.Error, verdict.NotRun, "maybe"} {
		for _, level := range []verdict.Level{verdict.Must, verdict.Should, verdict.May} {
			for _, known := range []verdict.Known{{}, record, over} {
				if (known != verdict.Known{}) && level != verdict.Must {
					continue // only a MUST is a known failure
				}
				o := outcome("MS-002", status)
				o.Level, o.Known = level, known
				for _, r := range []report.Report{reported(o), reported(outcome("MS-001", verdict.Pass), o)} {
					for _, strict := range []bool{false, true} {
						bad := 0
						for _, s := range read(t, r, strict) {
							bad += s.Totals.Failed + s.Totals.Error
						}
						if code := r.ExitCode(strict); (bad == 0) != (code == verdict.ExitConformant) {
							t.Errorf("%s %s %+v, strict %t: %d failed, exit %d", level, status, known, strict, bad, code)
						}
					}
				}
			}
		}
	}
}

func TestGinkgoGetsEveryOutcome(t *testing.T) {
	dead := []evidence.CellRun{
		{Cell: matrix.Cell{Name: "b", Arch: "amd64"}, Failure: &failure.Failure{Kind: failure.Panic, Message: "it died"}},
		{Cell: matrix.Cell{Name: "a", Arch: "arm64"}, Failure: &failure.Failure{Kind: failure.Infra, Message: "no disk"}},
	}
	outcomes, err := suites.JudgeAll(dead, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if passed, err := Succeeds(outcomes, dead, &log); err != nil || passed {
		t.Fatalf("passed %v, %v\n%s", passed, err, log.String())
	}
	if len(outcomes) == 0 || !bytes.Contains(log.Bytes(), []byte("no disk")) {
		t.Errorf("%d outcomes, and the log has\n%s", len(outcomes), log.String())
	}
}
