package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
	"time"
)

// TestEveryTargetIsFound fails if a fuzz target of the module is left out of make fuzz.
func TestEveryTargetIsFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/b/x_test.go":        "package b\n\nfunc FuzzOne(f *testing.F) {}\nfunc FuzzTwo(f *testing.F) {}\n// func FuzzNone(\n",
		"a/b/x.go":             "package b\n\nfunc FuzzNot(f *testing.F) {}\n",
		"a/testdata/x_test.go": "package x\n\nfunc FuzzNot(f *testing.F) {}\n",
		".git/x_test.go":       "package x\n\nfunc FuzzNot(f *testing.F) {}\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for only, want := range map[string][]target{
		"":     {{"a/b", "FuzzOne"}, {"a/b", "FuzzTwo"}},
		"Two$": {{"a/b", "FuzzTwo"}},
		"no":   nil,
	} {
		if got, err := find(dir, regexp.MustCompile(only)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("of %q: %v, %v", only, got, err)
		}
	}
}

// TestATableAddsUp fails if what an earlier run did is lost when a later one is added.
func TestATableAddsUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fuzz.md")
	for range 2 {
		rows, err := readTable(file)
		if err != nil {
			t.Fatal(err)
		}
		rows.add(result{target: target{"a", "FuzzOne"}, wall: 3 * time.Second, cpu: 2 * time.Second, executions: 700, kept: 5})
		rows.add(result{target: target{"a", "FuzzTwo"}, problem: os.ErrInvalid})
		if err := rows.write(file); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readTable(file)
	want := table{"a.FuzzOne": {6, 4, 1400, 10, 0}, "a.FuzzTwo": {0, 0, 0, 0, 2}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := readTable("fuzz_test.go"); err == nil {
		t.Error("another file passed for a table, and would be overwritten")
	}
}
