package evidence

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

// killed leaves what a run of four cells leaves when it is killed: a has ended, b has not, c was
// stopped by a signal before, and nothing is known of d.
func killed(t *testing.T) string {
	t.Helper()
	f, err := Begin(t.TempDir(), time.Unix(1e9, 0), map[string][]string{"cell": {"a,b,c,d"}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cell := func(name string) matrix.Cell { return matrix.Cell{Name: name, Arch: "amd64"} }
	run := Run{Cells: []matrix.Cell{cell("a"), cell("b"), cell("c"), cell("d")}}
	said := func(probes ...string) map[string]wire.Transcript {
		all := map[string]wire.Transcript{}
		for _, p := range probes {
			all[p] = wire.Transcript{Probe: p}
		}
		return all
	}
	b := CellRun{Cell: cell("b"), Runs: map[string]ProbeRun{"facts": {Guest: Saved}, "mapstack": {Guest: Restored},
		"clone": {Guest: Restored, Failure: &failure.Failure{Kind: failure.Panic}}}}
	c := CellRun{Cell: cell("c"), Runs: map[string]ProbeRun{"facts": {Guest: Booted}}, Transcripts: said("facts"), Failure: &failure.Failure{Kind: failure.Interrupted}}
	for _, err := range []error{
		f.WriteRun(run),
		f.WriteCell(CellRun{Cell: cell("a"), Runs: map[string]ProbeRun{"facts": {}}, Transcripts: said("facts")}),
		f.WritePart(b, said("facts", "mapstack", "stage0")),
		f.WriteCell(c),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"cells/b/console/clone.log":       "panic\n",
		"cells/b/console/limits.log":      "half of a pro",
		"cells/b/transcripts/limits.json": `{"probe": "limits"}`, // written, and not yet named in part.json
		"cells/b/transcripts/.x.json123":  `{"pro`,
		"cells/d/console/boot.log":        "half of a bo",
		".report.json4711":                "{",
	} {
		path := filepath.Join(f.Path(), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return f.Path()
}

// files returns the files below a folder.
func files(t *testing.T, folder string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(folder, path)
			all = append(all, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAKilledRunIsGoneOnWith fails if what had ended is lost, or if what had not is kept.
func TestAKilledRunIsGoneOnWith(t *testing.T) {
	folder := killed(t)
	i, err := Reopen(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Reopen(folder); err == nil || !strings.Contains(err.Error(), "a run still writes to it") {
		t.Errorf("two runs write to one folder: %v", err)
	}
	if err := i.Prepare(); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, c := range i.Cells {
		probes := slices.Sorted(maps.Keys(c.Runs))
		for _, p := range slices.Sorted(maps.Keys(c.Transcripts)) {
			probes = append(probes, "+"+p)
		}
		if c.Ended() {
			probes = append(probes, "ended")
		}
		got[c.Cell.Name] = probes
	}
	want := map[string][]string{
		"a": {"facts", "+facts", "ended"},
		"b": {"clone", "mapstack", "+mapstack", "+stage0"}, // the facts are in the snapshot
		"c": {"facts", "+facts"},
		"d": nil,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{
		"cells/a/cell.json", "cells/a/transcripts/facts.json",
		"cells/b/console/clone.log", "cells/b/part.json", "cells/b/transcripts/mapstack.json", "cells/b/transcripts/stage0.json",
		"cells/c/part.json", "cells/c/transcripts/facts.json", "resume.json", "run.json",
	}, files(t, folder)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string][]string{"cell": {"a,b,c,d"}}, i.Flags); d != "" {
		t.Error(d)
	}
	if left := i.Left(); len(left) != 3 {
		t.Errorf("%d cells are left", len(left))
	}

	b := i.Cells[1]
	b.Failure = nil
	if err := i.Folder.WriteCell(b); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(files(t, folder), "cells/b/part.json") {
		t.Error("a cell that has ended is also one that has not")
	}
	if err := i.Folder.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Reopen(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Folder.Close()
	if left := again.Left(); len(left) != 2 {
		t.Errorf("%d cells are left", len(left))
	}
}

// TestChangedEvidenceIsNotGoneOnWith fails if a run ends with evidence that it did not observe.
func TestChangedEvidenceIsNotGoneOnWith(t *testing.T) {
	for want, change := range map[string]func(folder string) error{
		"the evidence of cell a was changed": func(f string) error {
			return os.WriteFile(filepath.Join(f, "cells/a/transcripts/facts.json"), []byte(`{"probe": "facts", "args": ["x"]}`), 0o644)
		},
		"cell a had ended, and its evidence is gone": func(f string) error { return os.RemoveAll(filepath.Join(f, "cells/a")) },
		"has no resume.json":                         func(f string) error { return os.Remove(filepath.Join(f, "resume.json")) },
		"not the cell that run.json asked for": func(f string) error {
			return os.WriteFile(filepath.Join(f, "cells/b/part.json"), []byte(`{"schema": "1", "cell": {"name": "a"}}`), 0o644)
		},
		"has the schema": func(f string) error {
			return os.WriteFile(filepath.Join(f, "resume.json"), []byte(`{"schema": "9"}`), 0o644)
		},
		"evidence has regular files alone": func(f string) error { return os.Symlink(t.TempDir(), filepath.Join(f, "cells/e")) },
		"is not what its console log": func(f string) error {
			return os.WriteFile(filepath.Join(f, "cells/b/console/mapstack.log"), nil, 0o644)
		},
	} {
		folder := killed(t)
		if err := change(folder); err != nil {
			t.Fatal(err)
		}
		if _, err := Reopen(folder); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := Reopen("/nowhere"); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Error(err)
	}
}

// TestAKilledRunCanBeJudged fails if verdict reads less of a killed run than it left.
func TestAKilledRunCanBeJudged(t *testing.T) {
	run, cells, err := Load(killed(t))
	if err != nil || len(cells) != len(run.Cells) {
		t.Fatalf("%d cells, %v", len(cells), err)
	}
	b := cells[1]
	if b.Ended() || len(b.Runs) != 3 || slices.Contains(slices.Collect(maps.Keys(b.Transcripts)), "limits") {
		t.Errorf("%+v", b)
	}
}

// FuzzResume reads the files that a killed run leaves, as somebody may have changed them.
func FuzzResume(f *testing.F) {
	f.Add(`{"schema": "1", "flags": {"cell": ["a"]}, "ended": {}}`, `{"schema": "1", "cell": {"name": "a"}, "runs": {"facts": {"guest": "saved"}}}`, "part.json")
	f.Add(`{"schema": "1", "ended": {"a": "00"}}`, `{"schema": "1", "cell": {"name": "a"}}`, "cell.json")
	f.Add(`{"schema": "1", "ended": {"../a": ""}}`, `{"runs": {"../x": {}}}`, "part.json")
	f.Fuzz(func(t *testing.T, resume, cell, file string) {
		dir := fstest.MapFS{
			"run.json":                       {Data: []byte(`{"schema": "1", "cells": [{"name": "a"}]}`)},
			"resume.json":                    {Data: []byte(resume)},
			"cells/a/" + file:                {Data: []byte(cell)},
			"cells/a/transcripts/facts.json": {Data: []byte(`{"probe": "facts"}`)},
		}
		r, err := readRecord(dir)
		if err != nil {
			return
		}
		_, cells, err := LoadFS(dir)
		if err != nil {
			return
		}
		ended, err := unaltered(dir, r.Ended, cells)
		if err != nil {
			return
		}
		if sum, is := ended["a"]; is != cells[0].Ended() || r.Ended["a"] != "" && sum != r.Ended["a"] {
			t.Errorf("%v of %+v", ended, cells)
		}
		cells[0].forget()
		for probe := range cells[0].Transcripts {
			if _, ran := cells[0].Runs[probe]; !ran && probe != "stage0" {
				t.Errorf("the transcript of %s stays, and nothing says that it ran", probe)
			}
		}
	})
}
