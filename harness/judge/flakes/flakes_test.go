package flakes

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

func made(outcomes ...verdict.Outcome) report.Report { return report.Report{Outcomes: outcomes} }

func tally(reports ...report.Report) *Tally {
	t := &Tally{}
	for _, r := range reports {
		t.Add(r)
	}
	return t
}

func outcome(cell, claim string, s verdict.Status, reason string) verdict.Outcome {
	return verdict.Outcome{Cell: cell, Claim: claim, Level: verdict.Must, Status: s, Reason: reason}
}

// TestAClaimThatChangesIsNamed fails if a claim that passes now and then counts as one that
// holds, or if one that always fails counts as a flake.
func TestAClaimThatChangesIsNamed(t *testing.T) {
	found := tally(
		made(outcome("b", "MS-001", verdict.Pass, ""), outcome("b", "MS-002", verdict.Fail, "always"), outcome("a", "MS-003", verdict.Pass, ""), outcome("a", "MS-004", verdict.Pass, "")),
		made(outcome("b", "MS-001", verdict.Fail, "one address"), outcome("b", "MS-002", verdict.Fail, "another number"), outcome("a", "MS-003", verdict.Pass, "")),
		made(outcome("b", "MS-001", verdict.Error, "no answer"), outcome("b", "MS-002", verdict.Fail, "always"), outcome("a", "MS-003", verdict.Pass, ""), outcome("a", "MS-004", verdict.Pass, "")),
	).Flakes()
	want := []Flake{
		{Cell: "a", Claim: "MS-004", Level: verdict.Must, Counts: verdict.Counts{Pass: 2, NotRun: 1}, Runs: []int{2}},
		{Cell: "b", Claim: "MS-001", Level: verdict.Must, Counts: verdict.Counts{Pass: 1, Fail: 1, Error: 1}, Reason: "one address", Runs: []int{2, 3}},
	}
	if d := cmp.Diff(want, found); d != "" {
		t.Error(d)
	}
	if found := tally().Flakes(); found != nil {
		t.Errorf("%+v", found)
	}
}

// TestAClaimThatARepeatLacksDidNotRunThere fails if the first repeats or the last ones are
// forgotten.
func TestAClaimThatARepeatLacksDidNotRunThere(t *testing.T) {
	pass := made(outcome("a", "MS-001", verdict.Pass, ""))
	all := tally(made(), made(), pass, made(), pass, made())
	want := []Flake{{Cell: "a", Claim: "MS-001", Level: verdict.Must, Counts: verdict.Counts{Pass: 2, NotRun: 4}, Runs: []int{1, 2, 4, 6}}}
	for range 2 { // looking changes nothing
		if d := cmp.Diff(want, all.Flakes()); d != "" {
			t.Error(d)
		}
	}
	if r := all.Rate(); r != (Rate{Decisions: 2, Odd: 2}) {
		t.Errorf("%+v", r)
	}
}

func TestTheWorstRepeatDecides(t *testing.T) {
	for _, c := range []struct {
		statuses []int
		want     int
	}{{nil, 0}, {[]int{0, 0}, 0}, {[]int{0, 2, 0}, 2}, {[]int{2, 69, 0}, 69}, {[]int{69, 2, 1, 0}, 1}} {
		if got := Worst(c.statuses); got != c.want {
			t.Errorf("%v: %d, want %d", c.statuses, got, c.want)
		}
	}
}

// TestARateHasABound fails if what was never seen counts as impossible, or if a claim that
// nearly always fails counts as many odd failures.
func TestARateHasABound(t *testing.T) {
	pass, fail, failed := outcome("a", "MS-001", verdict.Pass, ""), outcome("a", "MS-001", verdict.Fail, "x"), outcome("a", "MS-001", verdict.Error, "y")
	lacking := outcome("a", "MS-002", verdict.Unsupported, "z")
	for _, c := range []struct {
		reports []report.Report
		want    Rate
	}{
		{nil, Rate{}},
		{[]report.Report{made(pass, lacking), made(pass, lacking)}, Rate{Decisions: 2}},
		{[]report.Report{made(pass), made(fail), made(pass)}, Rate{Decisions: 3, Odd: 1, Red: 1}},
		{[]report.Report{made(fail), made(fail), made(pass)}, Rate{Decisions: 3, Odd: 1}},
		{[]report.Report{made(pass), made(failed), made(pass)}, Rate{Decisions: 3, Odd: 1}},
	} {
		if got := tally(c.reports...).Rate(); got != c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
	// The bounds of Poisson's mean at 95 % are in every table: 2.996, 4.744 and 15.705.
	for seen, want := range map[int]float64{0: 2.996, 1: 4.744, 9: 15.705} {
		if got := (Rate{Decisions: 1000}).Bound(seen) * 1000; math.Abs(got-want) > 0.001 {
			t.Errorf("after %d: %.4f, want %.3f", seen, got, want)
		}
	}
	if got := (Rate{}).Bound(0); math.IsNaN(got) || math.IsInf(got, 0) {
		t.Errorf("without a decision: %v", got)
	}
}
