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

	"github.com/mapstack/conformance/harness/facts"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// record is the environment variable that makes Native run the probe on this
// machine and keep what it says. It must be root on a Linux whose version the
// tests know.
const record = "MAPSTACK_RECORD"

// Native returns the transcript in testdata/native.json, of the machine that
// the project is developed on.
func Native(t testing.TB, probe string) wire.Transcript {
	t.Helper()
	path := filepath.Join("testdata", "native.json")
	if os.Getenv(record) != "" {
		keep(t, path, Here(t, probe))
	}
	return load(t, path)
}

// Cell returns the transcript that a cell of the matrix left, kept as
// testdata/NAME.json.
func Cell(t testing.TB, name string) wire.Transcript {
	t.Helper()
	return load(t, filepath.Join("testdata", name+".json"))
}

func load(t testing.TB, path string) wire.Transcript {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var tr wire.Transcript
	if err := json.Unmarshal(data, &tr); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return tr
}

func keep(t testing.TB, path string, tr wire.Transcript) {
	t.Helper()
	data, err := json.MarshalIndent(tr, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

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
		ev.Transcripts[tr.Probe] = tr
	}
	return ev
}

// Judge returns the outcome of every claim of an area, by ID.
func Judge(area claim.Area, f facts.Facts, tr wire.Transcript) map[string]verdict.Outcome {
	outcomes := map[string]verdict.Outcome{}
	for _, o := range area.Judge(Evidence(f, tr), nil) {
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

// Change returns a copy in which one observation is changed. The step must be
// there: a change that changes nothing tests nothing.
func Change(t testing.TB, tr wire.Transcript, step string, change func(*wire.Observation)) wire.Transcript {
	t.Helper()
	i := slices.IndexFunc(tr.Observations, func(o wire.Observation) bool { return o.Step == step })
	if i < 0 {
		t.Fatalf("the recording has no step %q", step)
	}
	tr.Observations = slices.Clone(tr.Observations)
	o := tr.Observations[i]
	values := map[string]string{}
	for k, v := range o.Values {
		values[k] = v
	}
	o.Values = values
	change(&o)
	tr.Observations[i] = o
	return tr
}

// Without returns a copy that lacks one step.
func Without(t testing.TB, tr wire.Transcript, step string) wire.Transcript {
	t.Helper()
	left := slices.DeleteFunc(slices.Clone(tr.Observations), func(o wire.Observation) bool { return o.Step == step })
	if len(left) == len(tr.Observations) {
		t.Fatalf("the recording has no step %q", step)
	}
	tr.Observations = left
	return tr
}

// Errno makes a call end with an error.
func Errno(number int, name string) func(*wire.Observation) {
	return func(o *wire.Observation) { o.Errno, o.Error, o.Ret = number, name, "" }
}

// Success makes a call return a value.
func Success(ret string) func(*wire.Observation) {
	return func(o *wire.Observation) { o.Errno, o.Error, o.Ret = 0, "", ret }
}

// Value sets what was seen.
func Value(key, value string) func(*wire.Observation) {
	return func(o *wire.Observation) { o.Values[key] = value }
}
