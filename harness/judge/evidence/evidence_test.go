package evidence

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

func save(t *testing.T) (Folder, Run, CellRun) {
	t.Helper()
	cell := matrix.Cell{Name: "a-1", Arch: "amd64"}
	run := Run{Cells: []matrix.Cell{cell, {Name: "b-2", Arch: "arm64"}}, Started: time.Unix(1e9, 0).UTC()}
	f, err := Create(t.TempDir(), run.Started)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	c := CellRun{Cell: cell, Kernel: &Kernel{Release: "6.1"}, QEMU: &QEMU{Argv: []string{"qemu", "-append", "a b"}},
		Failure:     &failure.Failure{Kind: failure.Panic, Message: "died"},
		Transcripts: map[string]wire.Transcript{"facts": {Probe: "facts", Observations: []wire.Observation{{Step: "uname"}}}}}
	if err := f.WriteCell(c); err != nil {
		t.Fatal(err)
	}
	return f, run, c
}

func TestEvidenceReadsBackAsItWasWritten(t *testing.T) {
	f, _, c := save(t)
	_, cells, err := Load(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	c.Schema = Schema
	c.QEMU.Argv = nil // see qemu.txt
	if !reflect.DeepEqual(cells[0], c) {
		t.Errorf("got %+v\nwant %+v", cells[0], c)
	}
	line, err := os.ReadFile(filepath.Join(f.Path(), "cells/a-1/qemu.txt"))
	if err != nil || string(line) != "qemu -append 'a b'\n" {
		t.Errorf("qemu.txt %q, %v", line, err)
	}
}

// TestKeptEvidenceNamesNoHost fails if recorded evidence names the machine that made
// it, or still has files of an earlier recording.
func TestKeptEvidenceNamesNoHost(t *testing.T) {
	_, run, c := save(t)
	run.Cells, run.Warnings = run.Cells[:1], []string{"a mirror is old"}
	path := t.TempDir()
	for _, probe := range []string{"gone", "facts"} {
		c.Transcripts = map[string]wire.Transcript{probe: {Probe: probe}}
		if err := Keep(path, run, []CellRun{c}); err != nil {
			t.Fatal(err)
		}
	}
	again, cells, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := cells[0].Transcripts["facts"]; !ok || len(cells[0].Transcripts) != 1 || again.Warnings != nil {
		t.Errorf("%+v %+v", again, cells)
	}
	if _, err := os.Stat(filepath.Join(path, "cells/a-1/qemu.txt")); err == nil || len(c.QEMU.Argv) == 0 {
		t.Errorf("qemu.txt is kept, or the caller's %v is changed", c.QEMU.Argv)
	}
}

func TestAFolderWithoutARunIsNamed(t *testing.T) {
	if _, _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "the folder of one run") {
		t.Error(err)
	}
}

func TestACellThatLeftNothingIsInterruptedNotForgotten(t *testing.T) {
	f, _, _ := save(t)
	_, cells, err := Load(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	if len(cells) != 2 || cells[1].Cell.Name != "b-2" || cells[1].Failure == nil || cells[1].Failure.Kind != failure.Interrupted {
		t.Errorf("%+v", cells)
	}
}

func TestTwoRunsInOneSecondGetTwoFolders(t *testing.T) {
	out := t.TempDir()
	a, err := Create(out, time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Create(out, time.Unix(1e9, 0))
	if err != nil || a.Path() == b.Path() {
		t.Errorf("%s and %s, %v", a.Path(), b.Path(), err)
	}
}

func TestEvidenceThatWasTamperedWithIsRefused(t *testing.T) {
	for name, change := range map[string]struct{ file, from, to, want string }{
		"another schema":      {"run.json", `"schema": "1"`, `"schema": "9"`, "schema"},
		"cell outside":        {"run.json", `"name": "b-2"`, `"name": "../b"`, "names have small letters"},
		"cell above":          {"run.json", `"name": "b-2"`, `"name": ".."`, "names have small letters"},
		"cell twice":          {"run.json", `"name": "b-2"`, `"name": "a-1"`, "twice"},
		"another cell":        {"cells/a-1/cell.json", `"arch": "amd64"`, `"arch": "arm64"`, "not the cell"},
		"not JSON":            {"cells/a-1/cell.json", "{", "", "read evidence"},
		"transcript misfiled": {"cells/a-1/transcripts/facts.json", `"probe": "facts"`, `"probe": "mapstack"`, "mapstack"},
	} {
		f, _, _ := save(t)
		path := filepath.Join(f.Path(), change.file)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(b), change.from, change.to, 1)
		if text == string(b) {
			t.Fatalf("%s: nothing was changed in\n%s", name, b)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load(f.Path()); err == nil || !strings.Contains(err.Error(), change.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnInjectedDefectCannotBeHidden fails if deleting a line of run.json makes
// evidence of an injected defect pass for evidence of a kernel.
func TestAnInjectedDefectCannotBeHidden(t *testing.T) {
	for _, c := range []struct {
		run, transcript string
		loads           bool
	}{
		{"", "", true},
		{"stack-eperm", "stack-eperm", true},
		{"stack-eperm", "", true}, // the probes that say what the target is
		{"", "stack-eperm", false},
		{"stack-enomem", "stack-eperm", false},
	} {
		folder, err := Create(t.TempDir(), time.Unix(1e9, 0))
		if err != nil {
			t.Fatal(err)
		}
		cell := matrix.Cell{Name: "c", Arch: "amd64"}
		if err := folder.WriteRun(Run{Cells: []matrix.Cell{cell}, Defect: c.run}); err != nil {
			t.Fatal(err)
		}
		transcripts := map[string]wire.Transcript{"p": {Probe: "p", Defect: c.transcript}}
		if err := folder.WriteCell(CellRun{Cell: cell, Transcripts: transcripts}); err != nil {
			t.Fatal(err)
		}
		run, cells, err := Load(folder.Path())
		if (err == nil) != c.loads {
			t.Errorf("run %q, transcript %q: %v", c.run, c.transcript, err)
		}
		if c.loads && (run.Defect != c.run || cells[0].Transcripts["p"].Defect != c.transcript) {
			t.Errorf("%+v %+v", run, cells)
		}
	}
}

// FuzzLoadFS reads run.json, cell.json and a transcript as a vendor may send them.
// What is accepted must be safe to use as the name of a folder or a probe.
func FuzzLoadFS(f *testing.F) {
	const run, cell = `{"schema": "1", "cells": [{"name": "a"}]}`, `{"schema": "1", "cell": {"name": "a"}}`
	f.Add("a", "p", run, cell, `{"probe": "p"}`)
	f.Add("a", "p", `{"schema": "1", "cells": [{"name": "../a"}]}`, cell, `{"probe": "q"}`)
	f.Add("a", "p", `{"schema": "1", "cells": [{"name": "a"}, {"name": "a"}]}`, "{", `{"defect": "d"}`)
	f.Fuzz(func(t *testing.T, name, probe, run, cell, transcript string) {
		dir := fstest.MapFS{
			"run.json":                     {Data: []byte(run)},
			"cells/" + name + "/cell.json": {Data: []byte(cell)},
			"cells/" + name + "/transcripts/" + probe + ".json": {Data: []byte(transcript)},
		}
		asked, cells, err := LoadFS(dir)
		if err != nil {
			return
		}
		if len(cells) != len(asked.Cells) {
			t.Errorf("%d cells of %d", len(cells), len(asked.Cells))
		}
		for _, c := range cells {
			if c.Cell.Name == ".." || strings.Contains(c.Cell.Name, "/") {
				t.Errorf("a cell is named %q", c.Cell.Name)
			}
			for p, tr := range c.Transcripts {
				if tr.Probe != p || strings.Contains(p, "/") || tr.Defect != "" && tr.Defect != asked.Defect {
					t.Errorf("probe %q: %+v", p, tr)
				}
			}
		}
	})
}

// TestKnownFailuresOfAMatrixFileAreAboutItsCells fails if a vendor's list excuses a cell that is
// not from its file, or if evidence with a list that nothing allows is read.
func TestKnownFailuresOfAMatrixFileAreAboutItsCells(t *testing.T) {
	f, run, _ := save(t)
	run.Cells = []matrix.Cell{{Name: "a-1", Arch: "amd64"}, {Name: "b-2", Arch: "arm64"}}
	record := matrix.KnownFailure{Claim: "MS-003", Cells: []string{"*", "c-*"}, Reason: "r", Link: "https://example.org/x", Until: "2027-12-31"}
	run.Matrix = &Matrix{File: "mapstack.yaml", Cells: []string{"b-2"}, Known: []matrix.KnownFailure{record}, Lines: []matrix.Lines{{Entry: 3, Cells: []int{5, 6}}}}
	if err := f.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	read, _, err := Load(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	known, err := read.Known()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range read.Cells {
		found, place, ok := known.Find("MS-003", c)
		if own := c.Name == "b-2"; ok != own || own && (found.Reason != "r" || place != "mapstack.yaml:5") {
			t.Errorf("cell %s: %+v at %q, %t", c.Name, found, place, ok)
		}
	}
	run.Matrix.Known[0].Until = ""
	if err := f.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(f.Path()); err == nil || !strings.Contains(err.Error(), "neither until nor fixedIn") {
		t.Errorf("a record without an end: %v", err)
	}
	run.Matrix = nil
	if known, err := run.Known(); err != nil || len(known.All()) > 0 {
		t.Errorf("%+v, %v", known, err)
	}
}

// TestDeviationsOfAMatrixFileAreAboutItsCells fails if a vendor's list excuses a cell that is not
// from its file, or if evidence with a list that nothing allows is read.
func TestDeviationsOfAMatrixFileAreAboutItsCells(t *testing.T) {
	f, run, _ := save(t)
	run.Cells = []matrix.Cell{{Name: "a-1", Arch: "amd64"}, {Name: "b-2", Arch: "arm64"}}
	run.Matrix = &Matrix{File: "mapstack.yaml", Cells: []string{"b-2", "b-[12]"}, Deviations: []matrix.Deviation{
		{Claim: "MS-010", Cells: []string{"*"}, Reason: "r", Source: "s"}, {Claim: "MS-011", Cells: []string{"c-*"}, Reason: "r", Source: "s"}}}
	if err := f.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	read, _, err := Load(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	all, err := read.Deviations()
	if err != nil || len(all) != 1 || all[0].Covers("MS-010", "a-1") || !all[0].Covers("MS-010", "b-2") || all[0].Covers("MS-010", "b-1") || all[0].File() != "mapstack.yaml" {
		t.Errorf("%+v, %v", all, err)
	}
	run.Matrix.Deviations[0].Reason = ""
	if err := f.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(f.Path()); err == nil || !strings.Contains(err.Error(), "deviation 1 of mapstack.yaml: reason is empty") {
		t.Errorf("a deviation without a reason: %v", err)
	}
}
