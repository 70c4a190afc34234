package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/mapstack/conformance/harness/judge/evidence"
)

// asMain is set in the environment of a test program that is mapstack itself.
const asMain = "MAPSTACK_TEST_AS_MAIN"

// mapstackRun runs mapstack as a process of its own.
func mapstackRun(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asMain+"=1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // the status is of no interest here
	return out.String(), errs.String()
}

// TestNothingForeignMovesTheCursor fails if words of a folder, a guest or a target reach the
// terminal as they are: a verdict could be drawn over the real one.
func TestNothingForeignMovesTheCursor(t *testing.T) {
	const hostile = "\x1b[2J\x1b[32mCONFORMANT\x1b[8m\u202e\u009b31m"
	asked, cells, err := evidence.Load(filepath.Join("..", "..", "..", "fixtures", "recorded"))
	if err != nil {
		t.Fatal(err)
	}
	asked.Warnings = []string{hostile}
	for i := range cells {
		if k := cells[i].Kernel; k != nil {
			k.Release, k.Provenance.Filename, k.Provenance.Warning = hostile, hostile, hostile
		}
		for probe, r := range cells[i].Runs {
			if r.Failure != nil {
				r.Failure.Message, r.Failure.Console = hostile, hostile
			}
			cells[i].Runs[probe] = r
		}
		for probe, tr := range cells[i].Transcripts {
			for n := range tr.Observations {
				tr.Observations[n].Step += hostile
			}
			cells[i].Transcripts[probe] = tr
		}
	}
	dir := t.TempDir()
	if err := evidence.Keep(dir, asked, cells); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verdict", dir}, {"verdict", "/tmp/" + hostile}, {"run", "--cell", hostile}, {hostile}} {
		stdout, stderr := mapstackRun(t, args...)
		for name, text := range map[string]string{"output": stdout, "error": stderr} {
			if at := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }); at >= 0 {
				t.Errorf("%q: its %s has %q", args, name, text[max(0, at-20):min(len(text), at+20)])
			}
		}
		if len(stdout)+len(stderr) == 0 {
			t.Errorf("%q says nothing", args)
		}
	}
	// The files, too: people look at them.
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.ContainsFunc(b, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) || !json.Valid(b) {
			t.Errorf("%s can move the cursor", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
