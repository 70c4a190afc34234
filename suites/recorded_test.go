package suites

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// TestJudgementsChangeOnPurpose judges the recorded kernels with every claim,
// and fails when a judgement changes without outcomes.golden. It also fails when a
// recording is too old to decide a claim.
func TestJudgementsChangeOnPurpose(t *testing.T) {
	run, recorded, err := evidence.LoadFS(fixtures.Recorded())
	if err != nil {
		t.Fatal(err)
	}
	if run.Focus != "" || run.Defect != "" {
		t.Errorf("recorded for %q only, with the defect %q", run.Focus, run.Defect)
	}
	deviations, err := Deviations(fixtures.FS(), cells(t))
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := JudgeAll(recorded, "", deviations)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(outcomes, func(a, b verdict.Outcome) int { return cmp.Compare(a.Claim, b.Claim) })
	var b strings.Builder
	undecided := ""
	for _, o := range outcomes {
		line := fmt.Sprintln(o.Claim, o.Cell, o.Status, o.Reason+o.Deviation)
		b.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
		if (o.Status == verdict.Error || o.Status == verdict.NotRun) && o.Claim != undecided {
			undecided = o.Claim // one cell for each claim is enough
			t.Error(line)
		}
	}
	if undecided != "" {
		t.Error("the recording is older than the probes: make record runs the kernels again, in five minutes")
	}
	golden(t, "outcomes.golden", b.String())
}
