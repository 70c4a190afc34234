package verdict

import (
	"strings"
	"testing"
)

func known(l Level, s Status, k Known) Outcome {
	o := outcome(l, s)
	o.Claim, o.Known = "XX-002", k
	return o
}

// TestARunEndsWellExactlyWhenEverythingIsAsExpected fails if a known failure ends a run
// badly, or if it hides anything else.
func TestARunEndsWellExactlyWhenEverythingIsAsExpected(t *testing.T) {
	record := Known{Reason: "r", Link: "l", Place: "f:1"}
	ended := record
	ended.Over = "its last day was 2026-01-01"
	pass, failed, should := outcome(Must, Pass), outcome(Must, Fail), outcome(Should, Fail)
	expected, stale, over := known(Must, Fail, record), known(Must, Pass, record), known(Must, Fail, ended)
	lost, broken := known(Must, NotRun, record), known(Must, Error, record)
	for _, tc := range []struct {
		name         string
		outcomes     []Outcome
		exit, strict int
		reason       string
	}{
		{"all hold", []Outcome{pass}, 0, 0, "hold"},
		{"the failure is known", []Outcome{pass, expected}, 0, 1, "as expected"},
		{"nothing but a known failure", []Outcome{expected}, 0, 1, "as expected"},
		{"two known failures", []Outcome{expected, expected}, 0, 1, "all 2 MUSTs"},
		{"another failure beside it", []Outcome{pass, expected, failed}, 1, 1, "MUSTs that do not hold"},
		{"a SHOULD beside it", []Outcome{expected, should}, 0, 1, "as expected"},
		{"its record is over", []Outcome{pass, over}, 1, 1, "MUSTs that do not hold"},
		{"one is over, one is not", []Outcome{expected, over}, 1, 1, "1 of 2 decided claims are MUSTs that do not hold; 1 other is a known failure"},
		{"the claim holds", []Outcome{pass, stale}, 1, 1, "stale"},
		{"a stale record beside a known failure", []Outcome{expected, stale}, 1, 1, "stale"},
		{"a stale record beside one that did not run", []Outcome{stale, outcome(Must, NotRun)}, 1, 1, "stale"},
		{"it did not run", []Outcome{pass, lost}, 2, 2, "did not run"},
		{"it ended in an error", []Outcome{pass, broken}, 69, 69, "error"},
		{"others did not run", []Outcome{expected, outcome(Must, NotRun)}, 2, 1, "did not run"},
		{"others ended in an error", []Outcome{expected, outcome(Must, Error)}, 69, 1, "error"},
		{"nothing at all", nil, 2, 2, "no claim"},
		{"it does not apply", []Outcome{pass, known(Must, Unsupported, record)}, 0, 0, "hold"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := Decide(tc.outcomes)
			e := End(tc.outcomes)
			if e.ExitCode != tc.exit || !strings.Contains(e.Reason, tc.reason) && tc.exit == e.ExitCode {
				t.Errorf("exit %d, %q; want %d, %q", e.ExitCode, e.Reason, tc.exit, tc.reason)
			}
			if s := End(Strictly(tc.outcomes)); s.ExitCode != tc.strict {
				t.Errorf("strict: exit %d, want %d", s.ExitCode, tc.strict)
			}
			if before != Decide(tc.outcomes) {
				t.Error("the verdict changed")
			}
		})
	}
}

// TestARunWithoutRecordsEndsAsItsVerdict fails if the list of known failures matters to a
// run that it does not cover.
func TestARunWithoutRecordsEndsAsItsVerdict(t *testing.T) {
	for _, first := range []Status{Pass, Fail, Error, Unsupported, NotRun, "maybe"} {
		for _, second := range []Status{Pass, Fail, Error, Unsupported, NotRun, "maybe"} {
			for _, level := range []Level{Must, Should, May} {
				outcomes := []Outcome{outcome(Must, first), outcome(level, second)}
				d := Decide(outcomes)
				for _, all := range [][]Outcome{outcomes, Strictly(outcomes)} {
					if e := End(all); e.ExitCode != d.ExitCode || e.Reason != d.Reason || e.Known+e.Stale+e.Over != 0 {
						t.Errorf("%v: %+v, and the verdict is %+v", outcomes, e, d)
					}
				}
			}
		}
	}
}

// TestARecordThatMustGoSaysWhichLine fails if somebody has to search what to remove.
func TestARecordThatMustGoSaysWhichLine(t *testing.T) {
	record := Known{Reason: "r", Link: "l", Place: "fixtures/known-failures.yaml:21"}
	ended := record
	ended.Over = "its last day was 2026-01-01"
	for want, o := range map[string]Outcome{
		"": known(Must, Fail, record),
		"XX-002 holds on c, and fixtures/known-failures.yaml:21 says that it fails there: remove that line":                                known(Must, Pass, record),
		"XX-002 still fails on c, and the entry at fixtures/known-failures.yaml:21 does not count any more (its last day was 2026-01-01):": known(Must, Fail, ended),
	} {
		if got := o.Advice(); !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
