package export

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

const everyKTAP = `KTAP version 1
1..1
# mapstack 0.1.0 abc, started 2001-09-09T01:46:40Z, evidence digest
    KTAP version 1
    1..1
        KTAP version 1
        1..10
        ok 1 S-001
        # S-002: MUST: It holds.
        # S-002: fail: the subject
        # S-002: fail: of S-002
        # S-002: expected: rw-p
        # S-002: observed: r--p
        # S-002: again: make conformance CELL=a FOCUS=S-002
        not ok 2 S-002
        # S-003: MUST: It holds.
        # S-003: error: the subject
        # S-003: error: of S-003
        # S-003: again: make conformance CELL=a FOCUS=S-003
        not ok 3 S-003 # ERROR error: the subject
        # S-004: MUST: It holds.
        # S-004: not-run: the subject
        # S-004: not-run: of S-004
        # S-004: again: make conformance CELL=a FOCUS=S-004
        not ok 4 S-004 # ERROR not-run: the subject
        ok 5 S-005 # SKIP unsupported: the subject
`

func TestKTAPSaysWhatTheOutcomesSay(t *testing.T) {
	text := written(t, "ktap", input(every()...))
	if !strings.HasPrefix(text, everyKTAP) {
		t.Error(text)
	}
	for _, want := range []string{
		"\n        not ok 6 S-006 # SKIP fails, as a deviation accepts: back-ported (changelog)\n",
		"\n        not ok 7 S-007 # SKIP fails, as known: a page is freed (findings)\n",
		"\n        not ok 8 S-008 # SKIP fail; a SHOULD changes no verdict: the subject\n",
		"\n        not ok 9 S-009 # SKIP fail; a MAY changes no verdict: the subject\n",
		"\n        not ok 10 S-010 # ERROR stale: S-010 holds on a, and known.yaml:9 says",
		"\n    not ok 1 s\nnot ok 1 a\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	strict := input(every()...)
	strict.Strict = true
	if text := written(t, "ktap", strict); !strings.Contains(text, "\n        not ok 7 S-007\n") {
		t.Errorf("strict:\n%s", text)
	}
	other := input(every()...)
	other.Report.Header = report.Header{}
	_, rest, _ := strings.Cut(text, "digest\n")
	if !strings.HasSuffix(written(t, "ktap", other), "\n"+rest) {
		t.Error("two runs with the same result differ in more than the line about the run")
	}
}

// endings calls f with reports that end in each way.
func endings(f func(in Input)) {
	record := verdict.Known{Reason: "r", Link: "l", Place: "f:1"}
	over := record
	over.Over = "its last day has passed"
	for _, status := range []verdict.Status{verdict.Pass, verdict.Unsupported, verdict.Fail, verdict.Error, verdict.NotRun, "maybe"} {
		for _, level := range []verdict.Level{verdict.Must, verdict.Should, verdict.May} {
			for _, known := range []verdict.Known{{}, record, over} {
				if (known != verdict.Known{}) && level != verdict.Must {
					continue // only a MUST is a known failure
				}
				o := outcome("S-002", status)
				o.Level, o.Known = level, known
				for _, in := range []Input{input(o), input(outcome("S-001", verdict.Pass), o)} {
					for _, in.Strict = range []bool{false, true} {
						f(in)
					}
				}
			}
		}
	}
}

// TestKTAPIsOkExactlyWhenTheRunEndsWell fails if a CI system that reads KTAP could contradict one
// that reads the exit status.
func TestKTAPIsOkExactlyWhenTheRunEndsWell(t *testing.T) {
	endings(func(in Input) {
		for _, level := range []string{"\n", "\n" + indent, "\n" + indent + indent} {
			bad := 0
			text := written(t, "ktap", in)
			for line := range strings.SplitSeq(text, "\n") {
				if strings.HasPrefix("\n"+line, level+"not ok") && !strings.Contains(line, " # SKIP ") {
					bad++
				}
			}
			// A run of which nothing was decided has no test that failed, but a line of its own.
			own := level != "\n" && strings.Contains(text, " verdict # ERROR ")
			if code := in.Report.ExitCode(in.Strict); (bad == 0 && !own) != (code == verdict.ExitConformant) {
				t.Errorf("%d failed, exit %d, strict %t:\n%s", bad, code, in.Strict, text)
			}
		}
	})
}

// TestHostileTextsStayTextsInKTAP fails if a text in evidence could be a test, a plan, a directive,
// or the end of the tests.
func TestHostileTextsStayTextsInKTAP(t *testing.T) {
	shape := func(s string) string {
		var lines []string
		for line := range strings.SplitSeq(written(t, "ktap", whole(s)), "\n") {
			first, _, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
			line, directive, _ := strings.Cut(line, " # ")
			if strings.Contains(directive, " #") || first != "#" && strings.Contains(line, "#") {
				t.Errorf("a reader may see something else in %q", line)
			}
			word, _, _ := strings.Cut(directive, " ")
			lines = append(lines, strings.Repeat(" ", len(line)-len(strings.TrimLeft(line, " ")))+first+" "+word)
		}
		return strings.Join(lines, "\n")
	}
	end := "\nList of all partitions:\nKernel panic - not syncing: VFS: no root\nreboot: System halted"
	if harmless, attacked := shape("x"+strings.Repeat("\ny", strings.Count(hostile+end, "\n"))), shape(hostile+end); harmless != attacked {
		t.Errorf("%s\n\nwith hostile texts\n%s", harmless, attacked)
	}
	for _, phrase := range []string{"List of all partitions:", "Kernel panic - not syncing: VFS:", "reboot: System halted"} {
		if strings.Contains(written(t, "ktap", whole(end)), phrase) {
			t.Errorf("the kernel's reader would stop at %q", phrase)
		}
	}
}
