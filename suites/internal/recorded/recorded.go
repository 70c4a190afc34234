// Package recorded gives tests of claims the transcripts of real probe runs,
// and changed copies of them.
package recorded

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// Here builds a probe as guests are built, and runs it on this machine. The
// test must be one of a suite, two folders below the module.
func Here(t testing.TB, probe string) wire.Transcript {
	t.Helper()
	binary := filepath.Join(t.TempDir(), probe)
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-modfile=poc/guest.mod", "-o", binary, "./poc/"+probe)
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", probe, err, out)
	}
	var stderr bytes.Buffer
	run := exec.CommandContext(t.Context(), binary)
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("run %s: %v\n%s", probe, err, &stderr)
	}
	tr := wire.Transcript{Probe: probe}
	for line := range bytes.Lines(out) {
		var o wire.Observation
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatalf("%s says %q: %v", probe, line, err)
		}
		tr.Observations = append(tr.Observations, o)
	}
	return tr
}

// Evidence is what a finished cell with this one transcript leaves.
func Evidence(f facts.Facts, transcripts ...wire.Transcript) claim.Evidence {
	ev := claim.Evidence{
		Cell:        matrix.Cell{Name: "recorded", Arch: f.Arch, PageSize: f.PageSize},
		Facts:       &f,
		Transcripts: map[string]wire.Transcript{},
	}
	for _, tr := range transcripts {
		if len(tr.Args) > 0 { // the settings of the cell's system, which is then judged
			ev.Cell.Policy = []matrix.Setting{{Of: matrix.OfSysctl}}
		}
		ev.Transcripts[tr.Probe] = tr
	}
	return ev
}

// Of is the claims of a suite that a probe decides.
func Of(suite claim.Suite, probe string) claim.Suite {
	suite.Claims = slices.DeleteFunc(suite.Claims, func(c claim.Claim) bool { return c.Probe != probe })
	return suite
}

// Judge returns the outcome of every claim of a suite, by ID.
func Judge(suite claim.Suite, f facts.Facts, tr wire.Transcript) map[string]verdict.Outcome {
	outcomes := map[string]verdict.Outcome{}
	for _, o := range suite.Judge(Evidence(f, tr), nil) {
		outcomes[o.Claim] = o
	}
	return outcomes
}

// Red returns the claims that fail, sorted.
func Red(outcomes map[string]verdict.Outcome) (ids []string) {
	for id, o := range outcomes {
		if o.Status == verdict.Fail {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
