package suites

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// judge builds the program of testdata/judge.
func judge(t *testing.T) string {
	t.Helper()
	// Read here as well, so that a change there runs a cached test again.
	if _, err := os.ReadDir(filepath.Join("testdata", "judge")); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "judge")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, "./testdata/judge")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build testdata/judge: %v\n%s", err, out)
	}
	return program
}

// TestAProgramThatOnlyJudgesAgrees fails if judging needs more than an evidence
// folder and the fixtures.
func TestAProgramThatOnlyJudgesAgrees(t *testing.T) {
	run, recorded, err := evidence.LoadFS(fixtures.Recorded())
	if err != nil {
		t.Fatal(err)
	}
	deviations, err := Deviations(fixtures.FS(), cells(t))
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := JudgeAll(recorded, run.Focus, deviations)
	if err != nil {
		t.Fatal(err)
	}
	want := verdict.Decide(outcomes)
	said, err := exec.CommandContext(t.Context(), judge(t), filepath.Join("..", "fixtures", "recorded")).CombinedOutput()
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	c := want.Counts
	counts := fmt.Sprintf("%d pass, %d fail, %d error, %d unsupported, %d not-run\n", c.Pass, c.Fail, c.Error, c.Unsupported, c.NotRun)
	if head := string(want.Verdict) + ": " + want.Reason; code != want.ExitCode || !strings.HasPrefix(string(said), head) || !strings.HasSuffix(string(said), counts) {
		t.Errorf("exit status %d, want %d, %q and %q:\n%s", code, want.ExitCode, head, counts, said)
	}
}

// TestJudgingNeedsFewModules fails if a program that only judges links what it does
// not need. A vendor reads the source of each of these modules before using it.
func TestJudgingNeedsFewModules(t *testing.T) {
	const most = 8
	info, err := buildinfo.ReadFile(judge(t))
	if err != nil {
		t.Fatal(err)
	}
	var linked []string
	for _, m := range info.Deps {
		linked = append(linked, m.Path)
	}
	if len(linked) == 0 || len(linked) > most {
		t.Errorf("%d modules are linked, at most %d are expected:\n%s", len(linked), most, strings.Join(linked, "\n"))
	}
}
