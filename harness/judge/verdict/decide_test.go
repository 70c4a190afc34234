package verdict

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func outcome(l Level, s Status) Outcome {
	return Outcome{Cell: "c", Suite: "s", Claim: "XX-001", Level: l, Status: s}
}

func TestVerdictNeverSaysMoreThanTheOutcomes(t *testing.T) {
	pass, unsupported, notRun := outcome(Must, Pass), outcome(Must, Unsupported), outcome(Must, NotRun)
	failed, broken := outcome(Must, Fail), outcome(Must, Error)
	should, may := outcome(Should, Fail), outcome(May, Fail)
	accepted := failed
	accepted.Deviation = Deviation{Reason: "back-ported", Source: "changelog"}
	for _, tc := range []struct {
		name     string
		outcomes []Outcome
		verdict  Verdict
		exit     int
	}{
		{"all hold", []Outcome{pass, pass}, Conformant, 0},
		{"unsupported beside a pass", []Outcome{pass, unsupported}, Conformant, 0},
		{"SHOULD and MAY do not hold", []Outcome{pass, should, may}, Conformant, 0},
		{"only a SHOULD ran and does not hold", []Outcome{should}, Conformant, 0},
		{"a MUST does not hold", []Outcome{pass, failed}, NonConformant, 1},
		{"a MUST does not hold and others broke", []Outcome{broken, notRun, failed}, NonConformant, 1},
		{"a MUST fails as a deviation accepts", []Outcome{pass, accepted}, Conformant, 0},
		{"one MUST fails as accepted, and another", []Outcome{accepted, failed}, NonConformant, 1},
		{"an error", []Outcome{pass, broken}, Incomplete, 69},
		{"an error of a MAY", []Outcome{pass, outcome(May, Error)}, Conformant, 0},
		{"an error of a SHOULD, and of a MUST", []Outcome{pass, outcome(Should, Error), broken}, Incomplete, 69},
		{"nothing but an error of a SHOULD", []Outcome{outcome(Should, Error)}, Incomplete, 69},
		{"an error and something that did not run", []Outcome{pass, notRun, broken}, Incomplete, 69},
		{"something did not run", []Outcome{pass, notRun}, Incomplete, 2},
		{"a MAY did not run", []Outcome{pass, outcome(May, NotRun)}, Incomplete, 2},
		{"nothing at all", nil, Incomplete, 2},
		{"nothing but unsupported", []Outcome{unsupported}, Incomplete, 2},
		{"a status from the future", []Outcome{pass, outcome(Must, "maybe")}, Incomplete, 69},
		{"no status", []Outcome{pass, {}}, Incomplete, 69},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := Decide(tc.outcomes)
			if d.Verdict != tc.verdict || d.ExitCode != tc.exit {
				t.Errorf("%s, exit %d; want %s, exit %d", d.Verdict, d.ExitCode, tc.verdict, tc.exit)
			}
			if d.Reason == "" {
				t.Error("a verdict without a reason")
			}
			if d.Counts.Total() != len(tc.outcomes) {
				t.Errorf("counted %d of %d outcomes", d.Counts.Total(), len(tc.outcomes))
			}
		})
	}
}

func TestSummariesAreSortedAndKeepCellsApart(t *testing.T) {
	all := []Outcome{
		{Cell: "b", Suite: "y", Claim: "YY-001", Level: Must, Status: Pass},
		{Cell: "a", Suite: "y", Claim: "YY-001", Level: Must, Status: Fail},
		{Cell: "a", Suite: "x", Claim: "XX-002", Level: Must, Status: Pass},
		{Cell: "a", Suite: "x", Claim: "XX-001", Level: Must, Status: NotRun},
	}
	var got []string
	for _, s := range Summarise(all) {
		got = append(got, s.Cell+"/"+s.Suite+" "+string(s.Verdict))
	}
	if d := cmp.Diff([]string{"a/x incomplete", "a/y non-conformant", "b/y conformant"}, got); d != "" {
		t.Error(d)
	}
	cells := Cells(all)
	if cells["a"].Verdict != NonConformant || cells["b"].Verdict != Conformant {
		t.Errorf("cells %v", cells)
	}
	Sort(all)
	want := append([]Outcome(nil), all...)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	Sort(all)
	if d := cmp.Diff(want, all); d != "" {
		t.Errorf("order depends on the input: %s", d)
	}
	if all[0].Claim != "XX-001" || all[3].Cell != "b" {
		t.Errorf("order %v", all)
	}
}
