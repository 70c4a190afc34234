package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix"
)

// baselineOf returns a report of one cell on which MS-001 has a status.
func baselineOf(cell string, status verdict.Status) report.Report {
	return report.New(report.Header{}, "", []report.CellReport{{Name: cell}}, []report.Claim{{ID: "MS-001", English: "It holds.", Chinese: "成立。"}},
		[]verdict.Outcome{{Cell: cell, Claim: "MS-001", Level: verdict.Must, Status: status}})
}

// TestABaselineIsCheckedBeforeAnythingBoots fails if somebody waits for a run that cannot be
// compared.
func TestABaselineIsCheckedBeforeAnythingBoots(t *testing.T) {
	out := t.TempDir()
	for baseline, want := range map[string]string{
		"/nowhere": "--baseline /nowhere: ",
		filepath.Join("..", "..", "..", "fixtures", "recorded") + "@nonsense": `no cell "nonsense"`,
	} {
		_, err := execute(t, "run", "--out", out, "--cell", "amd64-debian12-6.1", "--baseline", baseline)
		if err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != verdict.ExitInfrastructure {
			t.Errorf("%s: %v, want %q", baseline, err, want)
		}
	}
	if made, err := os.ReadDir(out); err != nil || len(made) > 0 {
		t.Errorf("a run began: %v, %v", made, err)
	}
	two := baselineOf("a", verdict.Pass)
	two.Cells = append(two.Cells, report.CellReport{Name: "b"})
	if err := comparable(&two, []matrix.Cell{{Name: "c"}}); err == nil || !strings.Contains(err.Error(), "DIR@CELL") {
		t.Errorf("no cell in common: %v", err)
	}
	if err := comparable(&two, []matrix.Cell{{Name: "b"}}); err != nil {
		t.Error(err)
	}
}

// TestARegressionEndsAConformantRun fails if a run hides that something got worse, or if a
// comparison hides how a run ended.
func TestARegressionEndsAConformantRun(t *testing.T) {
	for _, tc := range []struct {
		was, is    verdict.Status
		own, want  int
		shown      string
		inMarkdown string
	}{
		{verdict.Pass, verdict.Pass, 0, 0, "0 regressions, 0 changes", "0 regressions"},
		{verdict.Fail, verdict.Pass, 0, 0, "Improvements: 1", "## Improvements: 1"},
		{verdict.Pass, verdict.Fail, 0, 1, "Exit status 1: the run is conformant, and something got worse", "## Regressions: 1"}, // a SHOULD, or a known failure
		{verdict.Pass, verdict.Fail, 1, 1, "Regressions: 1", "## Regressions: 1"},
		{verdict.Pass, verdict.NotRun, 2, 2, "Regressions: 1", "## Regressions: 1"},
	} {
		dir := t.TempDir()
		before := baselineOf("a", tc.was)
		var b strings.Builder
		status, err := against(&b, dir, &before, baselineOf("a", tc.is), tc.own, language.English)
		if err != nil || status != tc.want || !strings.Contains(b.String(), tc.shown) {
			t.Errorf("%s, then %s: %v, status %d, want %d:\n%s", tc.was, tc.is, err, status, tc.want, b.String())
		}
		written, err := os.ReadFile(filepath.Join(dir, changesFile))
		if err != nil || !strings.Contains(string(written), tc.inMarkdown) {
			t.Errorf("%s, then %s: %v, %s", tc.was, tc.is, err, written)
		}
	}
	var b strings.Builder
	if status, err := against(&b, t.TempDir(), nil, baselineOf("a", verdict.Fail), 1, language.English); status != 1 || err != nil || b.String() != "" {
		t.Errorf("without a baseline: status %d, %v, %q", status, err, b.String())
	}
}
