package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/flakes"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

func TestRunsNameTheClaimsThatChange(t *testing.T) {
	decided := func(all ...verdict.Status) *flakes.Tally {
		var t flakes.Tally
		for _, s := range all {
			t.Add(report.Report{Outcomes: []verdict.Outcome{{Cell: "a", Claim: "MS-003", Level: verdict.Must, Status: s}}})
		}
		return &t
	}
	pass, fail := verdict.Pass, verdict.Fail
	shown := flakeTable(decided(pass, pass, pass), false, language.English)
	for _, want := range []string{"All 3 runs decided every claim alike.", "Of 3 decisions, 0 were", "below 99.8577 %"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	shown = flakeTable(decided(pass, fail, pass, pass, fail), true, language.Chinese)
	for _, want := range []string{"并不总是相同", "| a | MS-003 | MUST | 3 | 2 | 0 | 0 | 0 | 2 5 |", "包括 2 次失败"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
}

// TestFlakesReadsRuns fails if the command does not say of each run how it ended.
func TestFlakesReadsRuns(t *testing.T) {
	one := filepath.Join("..", "..", "..", "fixtures", "recorded") + "@amd64-debian12-6.1-settings"
	shown, err := execute(t, "flakes", one, one, "--markdown")
	if err != nil || strings.Count(shown, "| 3 | 0 | 0 | 0 | 0 | 0 |\n") != 2 || !strings.Contains(shown, "All 2 runs decided") {
		t.Errorf("%v\n%s", err, shown)
	}
	if _, err := execute(t, "flakes", one); err == nil {
		t.Error("one run was compared with nothing")
	}
}
