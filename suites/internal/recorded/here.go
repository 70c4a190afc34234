package recorded

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/wire"
)

// Here builds a probe as guests are built, and runs it on this machine.
func Here(t testing.TB, probe string) wire.Transcript {
	t.Helper()
	return Run(t, Build(t, probe), probe)
}

// Build builds programs as guests are built, and returns their folder. In place of
// runtime variants it has the program with the stock runtime: that reports the same
// steps, and no standard library must be compiled for it.
func Build(t testing.TB, programs ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	guest := filepath.Join(dir, "guest") // it is the program that a link to it is named after
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-modfile=poc/guest.mod", "-o", guest, "./poc/guest")
	build.Dir = module(t)
	depend(t, filepath.Join(build.Dir, "poc"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the guest's program: %v\n%s", err, out)
	}
	for _, name := range programs {
		names := []string{name}
		record, _ := catalog.Lookup(name)
		for _, v := range record.Variants {
			names = append(names, name+"-"+string(v))
		}
		for _, name := range names {
			if err := os.Link(guest, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// depend reads every folder below a folder, so that a change there runs a cached test
// again. The go command knows what a test reads, and not what the test builds.
func depend(t testing.TB, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(_ string, _ fs.DirEntry, err error) error { return err })
	if err != nil {
		t.Fatal(err)
	}
}

// Run runs a probe that Build built.
func Run(t testing.TB, dir, probe string) wire.Transcript {
	t.Helper()
	var stderr bytes.Buffer
	run := exec.CommandContext(t.Context(), filepath.Join(dir, probe))
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

// module returns the folder of the module that the test is in.
func module(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			t.Fatal("the test runs in no module; run it in a checkout")
		}
		dir = above
	}
}
