package assemble

import (
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// parsed reads a list of one record about two cells.
func parsed(t *testing.T) (matrix.KnownFailures, []matrix.Cell) {
	t.Helper()
	cells := []matrix.Cell{{Name: "a", Arch: "mips64le"}, {Name: "b", Arch: "mips64le"}}
	list, err := matrix.ParseKnown("known.yaml", []byte(`known:
  - claim: PR-107
    cells:
      - a
      - b
    reason: r
    link: docs/findings.md#r
    owner: o
    until: 2027-12-31
    fixedIn: "6.12"
`), cells)
	if err != nil {
		t.Fatal(err)
	}
	return list, cells
}

// TestARecordIsKeptWithTheOutcomeAndChangesNoStatus fails if a report does not say which
// record applied, or if a record hides what was observed.
func TestARecordIsKeptWithTheOutcomeAndChangesNoStatus(t *testing.T) {
	list, cells := parsed(t)
	record := verdict.Known{Reason: "r", Link: "docs/findings.md#r", Owner: "o", Until: "2027-12-31", FixedIn: "6.12"}
	with := func(over, place string) verdict.Known {
		k := record
		k.Over, k.Place = over, place
		return k
	}
	given := cells[1]
	given.Kernel.From = matrix.Given
	in, after := "2026-11-28", "2028-01-01"
	for name, c := range map[string]struct {
		cell    matrix.Cell
		release string
		claim   string
		day     string
		status  verdict.Status
		want    verdict.Known
	}{
		"known":              {cells[1], "6.1.0", "PR-107", in, verdict.Fail, record},
		"stale":              {cells[1], "6.1.0", "PR-107", in, verdict.Pass, with("", "known.yaml:5")},
		"stale and over":     {cells[1], "6.1.0", "PR-107", after, verdict.Pass, with("", "known.yaml:5")},
		"over by its day":    {cells[0], "6.1.0", "PR-107", after, verdict.Fail, with("its last day was 2027-12-31", "known.yaml:4")},
		"over by its cure":   {cells[1], "6.12.9", "PR-107", in, verdict.Fail, with("it counts before Linux 6.12 alone, and this is 6.12.9", "known.yaml:5")},
		"cured":              {cells[1], "6.12.9", "PR-107", in, verdict.Pass, verdict.Known{}},
		"did not run":        {cells[1], "6.1.0", "PR-107", in, verdict.NotRun, verdict.Known{}},
		"does not apply":     {cells[1], "6.1.0", "PR-107", in, verdict.Unsupported, verdict.Known{}},
		"an error":           {cells[1], "6.1.0", "PR-107", in, verdict.Error, verdict.Known{}},
		"another claim":      {cells[1], "6.1.0", "PR-108", in, verdict.Fail, verdict.Known{}},
		"a kernel of others": {given, "6.1.0", "PR-107", in, verdict.Fail, verdict.Known{}},
	} {
		day, err := time.Parse(time.DateOnly, c.day)
		if err != nil {
			t.Fatal(err)
		}
		run := evidence.CellRun{Cell: c.cell, Kernel: &evidence.Kernel{Release: c.release}}
		before := []verdict.Outcome{{Cell: c.cell.Name, Claim: c.claim, Level: verdict.Must, Status: c.status}}
		got := Known(before, list, evidence.Run{Started: day}, []evidence.CellRun{run})
		if got[0].Known != c.want || got[0].Status != c.status || before[0].Known != (verdict.Known{}) {
			t.Errorf("%s: %+v, want %+v", name, got[0], c.want)
		}
	}
}

// TestADefectIsNeverKnown fails if the list excuses what an injected defect does.
func TestADefectIsNeverKnown(t *testing.T) {
	list, cells := parsed(t)
	in := Inputs{
		Run:      evidence.Run{Started: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC), Defect: "of another revision"},
		Cells:    []evidence.CellRun{{Cell: cells[0], Kernel: &evidence.Kernel{Release: "6.1.0"}}},
		Outcomes: []verdict.Outcome{{Cell: "a", Claim: "PR-107", Level: verdict.Must, Status: verdict.Fail}}, Known: list,
	}
	if r := Report(in); r.End != nil || r.ExitCode(false) != verdict.ExitNonConformant || r.AsKnown("a") {
		t.Errorf("%+v", r)
	}
	in.Run.Defect = ""
	if r := Report(in); r.End == nil || r.ExitCode(false) != 0 || r.ExitCode(true) != 1 || !r.AsKnown("a") || r.Verdict.Verdict != verdict.NonConformant {
		t.Errorf("%+v", r)
	}
	in.Known = matrix.KnownFailures{} // as for a certificate
	if r := Report(in); r.End != nil || r.ExitCode(false) != verdict.ExitNonConformant {
		t.Errorf("%+v", r)
	}
}

func TestOnlyAMustIsAKnownFailure(t *testing.T) {
	list, _ := parsed(t)
	for want, claims := range map[string][]report.Claim{
		"no such claim":     nil,
		"which is a SHOULD": {{ID: "PR-107", Level: verdict.Should}},
		"":                  {{ID: "PR-107", Level: verdict.Must}},
	} {
		if err := CheckKnown(list, claims); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestARunBringsKnownFailuresOfItsOwn fails if the list of a vendor's matrix file does not count
// on its cells, or counts on a cell of the built-in matrix.
func TestARunBringsKnownFailuresOfItsOwn(t *testing.T) {
	_, cells := parsed(t)
	run := evidence.Run{Cells: cells, Started: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC), Matrix: &evidence.Matrix{File: "mapstack.yaml", Cells: []string{"b"},
		Known: []matrix.KnownFailure{{Claim: "MS-003", Cells: []string{"*"}, Reason: "ours", Link: "https://example.org/x", Until: "2027-12-31"}}}}
	var outcomes []verdict.Outcome
	var ran []evidence.CellRun
	for _, c := range cells {
		outcomes = append(outcomes, verdict.Outcome{Cell: c.Name, Claim: "MS-003", Level: verdict.Must, Status: verdict.Fail})
		ran = append(ran, evidence.CellRun{Cell: c})
	}
	for _, o := range Known(outcomes, matrix.KnownFailures{}, run, ran) {
		if o.AsKnown() != (o.Cell == "b") || o.Status != verdict.Fail {
			t.Errorf("%+v", o)
		}
	}
	for _, c := range described(run.Matrix, ran) {
		if (c.Matrix == "mapstack.yaml") != (c.Name == "b") {
			t.Errorf("%s is from %q", c.Name, c.Matrix)
		}
	}
	run.Defect = "stack-eperm"
	for _, o := range Known(outcomes, matrix.KnownFailures{}, run, ran) {
		if o.AsKnown() {
			t.Errorf("an injected defect is excused: %+v", o)
		}
	}
}
