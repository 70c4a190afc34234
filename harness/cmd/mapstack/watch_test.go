package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/run/watch"
)

// TestWatchNoticesAnotherFile fails if a new file at the place of a kernel is taken for the old
// one, if a missing one passes for unchanged, or if an error that is not the kernel's is
// remembered, so that the kernel would never be run.
func TestWatchNoticesAnotherFile(t *testing.T) {
	dir := t.TempDir()
	kernel, file, state := filepath.Join(dir, "vmlinuz"), filepath.Join(dir, "mapstack.yaml"), filepath.Join(dir, "state.json")
	text := "cells:\n- {name: mine, arch: amd64, kernel: ./vmlinuz}\n- {name: gone, arch: amd64, kernel: ./gone}\n- {name: board, target: 'ssh://root@board.invalid'}\n"
	for path, content := range map[string]string{kernel: "no kernel", file: text} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	look := func(args ...string) (n noticed, err error) {
		t.Helper()
		shown, err := execute(t, append([]string{"watch", "--list", "-o", "json", "--matrix", file, "--state", state}, args...)...)
		if err := json.Unmarshal([]byte(shown[strings.Index(shown, "{"):]), &n); err != nil {
			t.Fatalf("%v\n%s", err, shown)
		}
		return n, err
	}
	n, err := look()
	if exitCode(err) != verdict.ExitInfrastructure || len(n.New) != 1 || n.New[0].Cell != "mine" || n.New[0].Was != "" ||
		len(n.Failed) != 1 || n.Failed[0].Cell != "gone" || len(n.Unwatched) != 1 || n.Unwatched[0] != "board" {
		t.Errorf("%+v, %v", n, err)
	}
	s, err := watch.Open(state)
	if err != nil {
		t.Fatal(err)
	}
	s.Remember("mine", n.New[0].Is, filepath.Join(dir, "out", "1"))
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := look("--skip", "gone"); err != nil || len(n.New) != 0 || len(n.Same) != 1 {
		t.Errorf("%+v, %v", n, err)
	}
	if err := os.Chtimes(kernel, time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	if n, err := look("--cell", "mine"); err != nil || len(n.New) != 1 || n.New[0].Was == "" || n.New[0].Was == n.New[0].Is {
		t.Errorf("%+v, %v", n, err)
	}

	before, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := execute(t, "watch", "-q", "--matrix", file, "--state", state, "--cell", "mine", "--out", filepath.Join(dir, "out"))
	if err == nil || !strings.Contains(shown, "Nothing is compared with an earlier run") {
		t.Errorf("%v\n%s", err, shown)
	}
	if after, err := os.ReadFile(state); err != nil || !bytes.Equal(before, after) {
		t.Errorf("what is no kernel is remembered as one that was run: %v\n%s", err, after)
	}
}

// TestWatchSaysWhatGotWorse fails if a regression against the last run of a cell is not shown, or
// if a cell that was never run counts as one.
func TestWatchSaysWhatGotWorse(t *testing.T) {
	folder := recordedRun(t)
	now, err := judgedAt(folder)
	if err != nil {
		t.Fatal(err)
	}
	s, err := watch.Open(filepath.Join(t.TempDir(), "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cell := now.Cells[0].Name
	s.Remember(cell, "linux 1", folder)
	s.Remember("other", "linux 1", "/nowhere")
	before, lost := lastRuns(s, []string{cell, "other", "new"})
	if len(before.Cells) != 1 || before.Cells[0].Name != cell || len(lost) != 1 || !strings.Contains(lost[0], "/nowhere") {
		t.Errorf("%d cells, %q", len(before.Cells), lost)
	}
	var out bytes.Buffer
	if status, err := changedSince(&out, folder, before, now, 0, language.English); err != nil || status != 0 {
		t.Errorf("the same run: %d, %v\n%s", status, err, &out)
	}
	for i, o := range now.Outcomes {
		if o.Status == verdict.Pass {
			now.Outcomes[i].Status = verdict.Fail
			break
		}
	}
	out.Reset()
	if status, err := changedSince(&out, folder, before, now, 0, language.English); err != nil || status != verdict.ExitNonConformant || !strings.Contains(out.String(), "Against the last run of each cell") {
		t.Errorf("a regression: %d, %v\n%s", status, err, &out)
	}
	before.Cells = nil
	if status, err := changedSince(&out, folder, before, now, 0, language.English); err != nil || status != 0 {
		t.Errorf("a cell that was never run: %d, %v", status, err)
	}
}
