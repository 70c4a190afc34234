package report

import (
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// tiered is a run of a real kernel and its twin, with one claim each.
func tiered(realStatus, twinStatus verdict.Status) Report {
	outcomes := []verdict.Outcome{
		{Cell: "board", Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: realStatus, Reason: "set SW64_KERNEL"},
		{Cell: "alpha", Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: twinStatus},
	}
	r := New(Header{}, "", []CellReport{{Name: "board", Tier: Real}, {Name: "alpha", Tier: Twin}}, nil, outcomes)
	r.Tiers = &Tiers{Arch: "sw64"}
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
		d, ok := tiered(tc.real, tc.twin).WithoutReal(false)
		if ok != tc.ok || ok && d.ExitCode != tc.exit {
			t.Errorf("%s: %v, exit %d", name, ok, d.ExitCode)
		}
	}
	if _, ok := New(Header{}, "", nil, nil, nil).WithoutReal(false); ok {
		t.Error("a run without tiers has something to leave out")
	}
}
