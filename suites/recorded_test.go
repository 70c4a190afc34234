package suites

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/evidence"
	"github.com/mapstack/conformance/harness/verdict"
)

// TestJudgementsChangeOnPurpose judges the recorded kernels with every claim,
// and fails when a judgement changes without outcomes.golden. A recording that
// says nothing of what a claim asks is too old to judge; claims of a probe that
// came after it wait for the next one.
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
	waiting := waitingFor(t, recorded)
	var b strings.Builder
	undecided := ""
	for _, o := range outcomes {
		if waiting[o.Claim] {
			continue
		}
		line := fmt.Sprintln(o.Claim, o.Cell, o.Status, o.Reason+o.Deviation)
		b.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
		if (o.Status == verdict.Error || o.Status == verdict.NotRun) && o.Claim != undecided {
			undecided = o.Claim // of nine cells one is enough
			t.Error(line)
		}
	}
	if undecided != "" {
		t.Error("the recording is older than the probes: make record runs the kernels again, in five minutes")
	}
	golden(t, "outcomes.golden", b.String())
}

// unrecorded is the probes that no recording has yet.
var unrecorded = []string{"newosproc"}

// waitingFor is the claims of the unrecorded probes. It fails for a probe that
// one recorded cell has: all must have it then.
func waitingFor(t *testing.T, recorded []evidence.Cell) map[string]bool {
	t.Helper()
	for _, c := range recorded {
		for _, probe := range unrecorded {
			if _, has := c.Transcripts[probe]; has {
				t.Errorf("%s is recorded on %s: it is no longer unrecorded", probe, c.Cell.Name)
			}
		}
	}
	claims := map[string]bool{}
	for id, probe := range ProbeOf() {
		claims[id] = slices.Contains(unrecorded, probe)
	}
	return claims
}
