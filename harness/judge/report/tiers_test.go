package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

func tiered(realStatus, twinStatus verdict.Status) Report {
	outcomes := []verdict.Outcome{
		{Cell: "board", Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: realStatus, Reason: "set SW64_KERNEL"},
		{Cell: "alpha", Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: twinStatus},
	}
	r := New(Header{}, "", []CellReport{{Name: "board", Tier: "real"}, {Name: "alpha", Tier: "twin"}},
		[]Claim{{ID: "MS-001", English: "Mapping works."}, {ID: "GR-111", English: "It ends with status 2."}}, outcomes)
	r.Tiers = &Tiers{Arch: "sw64",
		Tiers: []Tier{{Tier: "real", Cells: []string{"board"}, Verdict: r.Cells[1].Verdict, Missing: "set SW64_KERNEL"},
			{Tier: "twin", Cells: []string{"alpha"}, Verdict: r.Cells[0].Verdict}},
		Assertions: []Assertion{
			{ID: "A1", English: "It is refused.", Claims: []string{"MS-001"}, Real: "not run", Twin: "wrong", Model: "shown", ModelClaims: []string{"GR-111"}},
			{ID: "A2", English: "A file is there.", Read: &Text{English: "It is not."}},
		}}
	return r
}

func TestATwinNeverStandsForARealKernelUnasked(t *testing.T) {
	if d := tiered(verdict.NotRun, verdict.Pass).Verdict; d.ExitCode != verdict.ExitIncomplete {
		t.Errorf("the run ends with %d", d.ExitCode)
	}
	for name, tc := range map[string]struct {
		real, twin verdict.Status
		ok         bool
		exit       int
	}{
		"twin holds":           {verdict.NotRun, verdict.Pass, true, verdict.ExitConformant},
		"twin fails":           {verdict.NotRun, verdict.Fail, true, verdict.ExitNonConformant},
		"twin did not run":     {verdict.NotRun, verdict.NotRun, true, verdict.ExitIncomplete},
		"real kernel answered": {verdict.Fail, verdict.Pass, false, 0},
		"real kernel erred":    {verdict.Error, verdict.Pass, false, 0},
	} {
		d, ok := tiered(tc.real, tc.twin).WithoutReal()
		if ok != tc.ok || ok && d.ExitCode != tc.exit {
			t.Errorf("%s: %v, exit %d", name, ok, d.ExitCode)
		}
	}
	if _, ok := New(Header{}, "", nil, nil, nil).WithoutReal(); ok {
		t.Error("a run without tiers has something to leave out")
	}
}

func TestTheTableSaysWhatIsMissingAndWhatEachTierSays(t *testing.T) {
	var b bytes.Buffer
	if err := tiered(verdict.NotRun, verdict.Pass).WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"R  a real kernel of sw64              not run", "set SW64_KERNEL", "It is refused.", "wrong", "shown GR-111",
		"GR-111 It ends with status 2.", "A file is there.", "It is not.", "INCOMPLETE"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}
