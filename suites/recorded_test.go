package suites

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/suites/internal/claim"
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
	outcomes = append(outcomes, lab(t, deviations)...)
	slices.SortStableFunc(outcomes, func(a, b verdict.Outcome) int { return cmp.Compare(a.Claim, b.Claim) })
	var b strings.Builder
	undecided := ""
	for _, o := range outcomes {
		line := fmt.Sprintln(o.Claim, o.Cell, o.Status, o.Text()+o.Deviation.Reason)
		b.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
		if (o.Status == verdict.Error || o.Status == verdict.NotRun) && o.Claim != undecided {
			undecided = o.Claim // one cell for each claim is enough
			t.Error(line)
		}
	}
	if undecided != "" {
		t.Error("the recording is older than the probes: make record runs the kernels again, in ten minutes")
	}
	golden(t, "outcomes.golden", b.String())
	golden(t, "steps.golden", stepsOf(outcomes))
}

// stepsOf returns the steps that each claim reads on any kernel, as stepsRead reads them.
func stepsOf(outcomes []verdict.Outcome) string {
	var b strings.Builder
	seen := map[string]bool{}
	for i, o := range outcomes {
		if i == 0 || o.Claim != outcomes[i-1].Claim {
			clear(seen)
			if i > 0 {
				b.WriteString("\n")
			}
			b.WriteString(o.Claim)
		}
		for _, step := range o.Where.Read {
			if !seen[step] {
				seen[step] = true
				b.WriteString("\t" + step)
			}
		}
	}
	return b.String() + "\n"
}

// lab judges the recordings of fixtures/lab, each of which must conform. Kernels that were
// built outside of the repository, and systems that booted in full, have cells of one name,
// so the folder's stands for it.
func lab(t *testing.T, deviations []claim.Deviation) (all []verdict.Outcome) {
	t.Helper()
	folders, err := fs.Glob(fixtures.Lab(), "*/run.json")
	if err != nil || len(folders) < 2 {
		t.Fatalf("%d runs in fixtures/lab, %v", len(folders), err)
	}
	for _, file := range folders {
		name := path.Dir(file)
		folder, err := fs.Sub(fixtures.Lab(), name)
		if err != nil {
			t.Fatal(err)
		}
		_, cells, err := evidence.LoadFS(folder)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		outcomes, err := JudgeAll(cells, "", deviations)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range outcomes {
			if c := outcomes[i].Cell; strings.HasPrefix(c, "given-kernel") || strings.HasPrefix(c, string(matrix.FullBoot)) {
				outcomes[i].Cell = "lab-" + name
			}
		}
		if d := verdict.Decide(outcomes); d.Verdict != verdict.Conformant {
			t.Errorf("%s is %s: %s", name, d.Verdict, d.Reason)
		}
		all = append(all, outcomes...)
	}
	return all
}
