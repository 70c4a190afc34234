package pace

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestThePastIsKeptAndSmoothed(t *testing.T) {
	dir := t.TempDir()
	for _, measured := range []Past{{"a": {"x": 10}, "b": {"x": 1}}, {"a": {"x": 20, "y": 3}}, {}} {
		if err := measured.Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(Past{"a": {"x": 15, "y": 3}, "b": {"x": 1}}, Load(dir)); d != "" {
		t.Error(d)
	}
}

// TestADamagedPastIsIgnored fails if a file in the cache can stop a run, or make it wait.
func TestADamagedPastIsIgnored(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":     "",
		"no JSON":     "seconds",
		"cut short":   `{"seconds":{"a":{"x":1`,
		"a list":      `{"seconds":[1,2]}`,
		"null":        `null`,
		"nulls":       `{"seconds":{"a":null}}`,
		"negative":    `{"seconds":{"a":{"x":-1,"y":0}}}`,
		"years":       `{"seconds":{"a":{"x":1e300}}}`,
		"a path":      `{"seconds":{"../a":{"x":1},"a":{"x/y":1}}}`,
		"an escape":   `{"seconds":{"a\u001b[2J":{"x":1}}}`,
		"a long name": `{"seconds":{"` + strings.Repeat("a", 99) + `":{"x":1}}}`,
		"too large":   `{"seconds":{"a":{"x":1}},"more":"` + strings.Repeat("a", maxBytes) + `"}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(Past{}, Load(dir)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if err := (Past{"b": {"x": 2}}).Save(dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(Past{"b": {"x": 2}}, Load(dir)); d != "" {
			t.Errorf("%s is not replaced: %s", name, d)
		}
	}
	fifo := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(fifo, file), 0o644); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Past{}, Load(fifo)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Past{}, Load(filepath.Join(fifo, "nowhere"))); d != "" {
		t.Error(d)
	}
}

// TestThePastStaysSmall fails if every kernel that somebody ever tried stays in the file, or
// if the cells of this run are the ones that are left out.
func TestThePastStaysSmall(t *testing.T) {
	dir := t.TempDir()
	many := Past{}
	for i := range 2 * maxCells {
		many[fmt.Sprintf("cell-%04d", i)] = map[string]float64{"x": 1}
	}
	if err := many.Save(dir); err != nil {
		t.Fatal(err)
	}
	probes := map[string]float64{}
	for i := range 2 * maxProbes {
		probes[fmt.Sprintf("probe-%04d", i)] = 1
	}
	if err := (Past{"z": probes}).Save(dir); err != nil {
		t.Fatal(err)
	}
	kept := Load(dir)
	if len(kept) != maxCells || len(kept["z"]) != maxProbes {
		t.Errorf("%d cells, %d probes of the last one", len(kept), len(kept["z"]))
	}
	if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() > maxBytes {
		t.Errorf("%v, %v", info, err)
	}
}

// TestAFullFileCanBeReadAgain fails if the bounds allow a file that is too large to be read.
func TestAFullFileCanBeReadAgain(t *testing.T) {
	dir, full := t.TempDir(), Past{}
	for i := range maxCells {
		cell := fmt.Sprintf("%03d%s", i, strings.Repeat("c", 61))
		full[cell] = map[string]float64{}
		for j := range maxProbes {
			full[cell][fmt.Sprintf("%02d%s", j, strings.Repeat("p", 62))] = 86399.12345678
		}
	}
	if err := full.Save(dir); err != nil {
		t.Fatal(err)
	}
	if n := len(Load(dir)); n != maxCells {
		t.Errorf("%d of %d cells are read", n, maxCells)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"seconds":{"amd64-debian12-6.1":{"facts":1.5}}}`)
	f.Add(`{"seconds":{"a":{"x":1e999}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		for cell, probes := range read(strings.NewReader(text)) {
			for probe, s := range probes {
				if !plainName.MatchString(cell) || !plainName.MatchString(probe) || !(s > 0 && s <= maxSeconds) {
					t.Errorf("%q %q %g", cell, probe, s)
				}
			}
		}
	})
}
