package watch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAPassRemembersWhatTheNextOneCompares fails if a cell that was run seems to be new, if
// another kernel does not, or if folders of runs are lost when they move with the file.
func TestAPassRemembersWhatTheNextOneCompares(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "state", "watch.json")
	s, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	now := map[string]string{"b": "linux 2", "a": "linux 1"}
	if got := s.Changed(now); len(got) != 2 || got[0] != (Change{"a", "", "linux 1"}) || got[1].Cell != "b" {
		t.Errorf("%+v", got)
	}
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), "another mapstack watch") {
		t.Errorf("two passes at once: %v", err)
	}
	s.Remember("a", "linux 1", filepath.Join(dir, "state", "out", "1"))
	s.Remember("b", "linux 1", filepath.Join(dir, "elsewhere"))
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(dir, "moved")
	if err := os.Rename(filepath.Dir(file), moved); err != nil {
		t.Fatal(err)
	}
	s, err = Open(filepath.Join(moved, "watch.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Changed(now); len(got) != 1 || got[0] != (Change{"b", "linux 1", "linux 2"}) {
		t.Errorf("%+v", got)
	}
	if s.Cells["a"].Run != filepath.Join(moved, "out", "1") || s.Cells["b"].Run != filepath.Join(dir, "elsewhere") {
		t.Errorf("%+v", s.Cells)
	}
}

// TestADamagedStateIsNamed fails if a state file that cannot be read begins anew silently: every
// cell would run, and nothing be compared.
func TestADamagedStateIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "damaged",
		"[]":                          "damaged",
		`{"schema":"0"}`:              "schema",
		`{"schema":"1","cells":null}`: "",
		`{"schema":"1","cells":{"../x":{"kernel":"k","run":"r"}}}`: "no valid name",
		`{"schema":"1","cells":{"a":{"kernel":"","run":"r"}}}`:     "no kernel",
	} {
		_, err := Parse([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"schema":"1","cells":{"a":{"kernel":"k","run":"r"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text)
		if err == nil && s.Cells == nil {
			t.Error("a state without a map panics when a cell is remembered")
		}
	})
}
