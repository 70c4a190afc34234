package claim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

func TestDeviationsExcuseFailuresOnlyWhereTheyAreListed(t *testing.T) {
	dev := []Deviation{{Claim: "XX-001", Cells: []string{"cell-*"}, Reason: "back-ported", Source: "changelog"}}
	elsewhere := []Deviation{{Claim: "XX-001", Cells: []string{"other"}, Reason: "r", Source: "s"}}
	otherClaim := []Deviation{{Claim: "XX-002", Cells: []string{"*"}, Reason: "r", Source: "s"}}
	missing := evidence()
	for _, tc := range []struct {
		name   string
		ev     Evidence
		devs   []Deviation
		status verdict.Status
	}{
		{"listed and failing", evidence(step("s", "no")), dev, verdict.Fail},
		{"listed but holding is stale", evidence(step("s", "yes")), dev, verdict.Fail},
		{"listed elsewhere", evidence(step("s", "no")), elsewhere, verdict.Fail},
		{"listed for another claim", evidence(step("s", "no")), otherClaim, verdict.Fail},
		{"listed but undecided", missing, dev, verdict.Error},
		{"listed but not run", Evidence{Cell: matrix.Cell{Name: "cell-a", Arch: "amd64"}, Lost: Loss{"no boot", verdict.NotRun}}, dev, verdict.NotRun},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := Judge(sample(), tc.ev, tc.devs)
			if out.Status != tc.status {
				t.Fatalf("status %s, want %s: %+v", out.Status, tc.status, out)
			}
			if excused := out.Accepted(); excused != (tc.name == "listed and failing") {
				t.Errorf("deviation %+v", out.Deviation)
			}
		})
	}
	out := Judge(sample(), evidence(step("s", "no")), dev)
	for _, part := range []string{"back-ported", "changelog", "the value of v"} {
		if !strings.Contains(fmt.Sprint(out), part) {
			t.Errorf("outcome %+v does not say %q", out, part)
		}
	}
}

func TestDeviationsFileFaultsAreFound(t *testing.T) {
	const good = "deviations:\n  - claim: XX-001\n    cells: [cell-a]\n    reason: r\n    source: s\n"
	if devs, err := ParseDeviations("d.yaml", []byte(good)); err != nil || len(devs) != 1 {
		t.Fatalf("good file: %v, %v", devs, err)
	}
	if devs, err := ParseDeviations("d.yaml", []byte("deviations: []\n")); err != nil || len(devs) != 0 {
		t.Fatalf("empty list: %v, %v", devs, err)
	}
	for name, tc := range map[string]struct{ data, want string }{
		"unknown field": {strings.Replace(good, "reason", "reasons", 1), "reasons"},
		"wrong type":    {strings.Replace(good, "[cell-a]", "3", 1), "cells"},
		"no reason":     {strings.Replace(good, "reason: r", "reason: ''", 1), "reason is empty"},
		"no source":     {strings.Replace(good, "source: s", "source: ''", 1), "source is empty"},
		"no cells":      {strings.Replace(good, "[cell-a]", "[]", 1), "cells is empty"},
		"no day":        {good + "    until: soon\n", "until \"soon\" must be a day of the calendar"},
		"bad glob":      {strings.Replace(good, "[cell-a]", "['[']", 1), "glob"},
		"given twice":   {good + "deviations: []\n", "already"},
		"not YAML":      {"deviations: [", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseDeviations("d.yaml", []byte(tc.data))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), "d.yaml") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q names neither the file nor %q", err, tc.want)
			}
		})
	}
}

func TestDeviationsThatCannotApplyAreErrors(t *testing.T) {
	suites := []Suite{{Name: "x", Claims: []Claim{sample()}}}
	cells := []string{"cell-a", "cell-b"}
	ok := Deviation{Claim: "XX-001", Cells: []string{"cell-*"}, Reason: "r", Source: "s"}
	if err := CheckDeviations([]Deviation{ok}, suites, cells); err != nil {
		t.Fatal(err)
	}
	for name, devs := range map[string][]Deviation{
		"unknown claim":             {{Claim: "XX-999", Cells: []string{"*"}}},
		"glob without a cell":       {{Claim: "XX-001", Cells: []string{"cell-a", "gone"}}},
		"same cell mentioned twice": {ok, {Claim: "XX-001", Cells: []string{"cell-b"}}},
	} {
		if err := CheckDeviations(devs, suites, cells); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
