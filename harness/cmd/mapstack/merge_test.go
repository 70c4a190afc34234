package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/run/shard"
)

// shards returns the recorded matrix, and the folders of its shards, as several machines would
// have run them.
func shards(t *testing.T, of int) (whole evidence.Run, cells []evidence.CellRun, folders []string) {
	t.Helper()
	whole, cells, err := evidence.LoadFS(fixtures.Recorded())
	if err != nil {
		t.Fatal(err)
	}
	whole.Version = version
	by := map[string]evidence.CellRun{}
	seconds := map[string]float64{}
	var names []string
	for _, c := range cells {
		names = append(names, c.Cell.Name)
		by[c.Cell.Name], seconds[c.Cell.Name] = c, c.Seconds
	}
	parts, err := shard.Split(names, seconds, of)
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range parts {
		run := whole
		run.Shard = &evidence.Shard{Index: i + 1, Of: of, Cells: names}
		run.Cells = nil
		run.Started = whole.Started.Add(time.Duration(i) * time.Minute)
		var own []evidence.CellRun
		for _, name := range part {
			run.Cells = append(run.Cells, by[name].Cell)
			own = append(own, by[name])
		}
		folders = append(folders, finishedRun(t, run, own))
	}
	return whole, cells, folders
}

// headless returns the bytes of a report without its header.
func headless(t *testing.T, r report.Report) string {
	t.Helper()
	r.Header = report.Header{}
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestMergedShardsAreTheWholeRun fails if a run on many machines has another report than the
// same run on one, byte for byte outside of the header.
func TestMergedShardsAreTheWholeRun(t *testing.T) {
	whole, cells, folders := shards(t, 3)
	want, err := judge(whole, cells)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	shown, err := execute(t, append([]string{"merge", "--out", out}, folders...)...)
	if code := exitCode(err); code != want.ExitCode(false) {
		t.Errorf("exit status %d: %v\n%s", code, err, shown)
	}
	merged, err := filepath.Glob(filepath.Join(out, "[0-9]*"))
	if err != nil || len(merged) != 1 {
		t.Fatal(merged, err)
	}
	run, again, err := evidence.Load(merged[0])
	if err != nil {
		t.Fatal(err)
	}
	got, err := judge(run, again)
	if err != nil {
		t.Fatal(err)
	}
	if headless(t, got) != headless(t, want) {
		t.Error("the evidence of the merged run gives another report")
	}
	written, err := os.ReadFile(filepath.Join(merged[0], reportFile))
	if err != nil {
		t.Fatal(err)
	}
	_, body, found := bytes.Cut(written, []byte("\n  \"verdict\": "))
	_, body2, found2 := strings.Cut(headless(t, want), "\n  \"verdict\": ")
	if !found || !found2 || string(body) != body2 {
		t.Error("the written report differs from that of the whole run")
	}
	for _, name := range []string{pageFile, junitFile} {
		if _, err := os.Stat(filepath.Join(merged[0], name)); err != nil {
			t.Error(err)
		}
	}
	if shown, err := execute(t, "verdict", merged[0]); err != nil || !strings.Contains(shown, "transcripts are what the console logs hold") {
		t.Errorf("%v\n%s", err, shown)
	}
	if len(run.Cells) != len(whole.Cells) || run.Shard != nil || !run.Started.Equal(whole.Started) {
		t.Errorf("%+v", run)
	}
}

// TestAShardSaysThatItIsOne fails if the verdict on a part can be taken for that on the run.
func TestAShardSaysThatItIsOne(t *testing.T) {
	_, _, folders := shards(t, 4)
	run, cells, err := evidence.Load(folders[1])
	if err != nil {
		t.Fatal(err)
	}
	r, err := judge(run, cells)
	if err != nil {
		t.Fatal(err)
	}
	if want := "this is shard 2/4: the verdict is about "; !strings.Contains(strings.Join(r.Header.Warnings, "\n"), want) {
		t.Errorf("no %q in %q", want, r.Header.Warnings)
	}
	if shown, err := execute(t, "verdict", folders[1]); !strings.Contains(shown, "This is shard 2/4.") {
		t.Errorf("%v\n%s", err, shown)
	}
}

// TestOnlyWholeUnchangedShardsAreMerged fails if a merged run has something that no machine
// observed, or lacks what was asked for.
func TestOnlyWholeUnchangedShardsAreMerged(t *testing.T) {
	_, _, whole := shards(t, 3)
	for want, change := range map[string]func(t *testing.T, folders []string) []string{
		"shard 2/3 is missing": func(_ *testing.T, f []string) []string { return []string{f[0], f[2]} },
		"both have cell":       func(_ *testing.T, f []string) []string { return append(f, f[0]) },
		"something was changed after the run": func(t *testing.T, f []string) []string {
			edit(t, filepath.Join(f[1], "run.json"), `"cores": `, `"cores":  `)
			return f
		},
		"is not what its evidence gives": func(t *testing.T, f []string) []string {
			edit(t, filepath.Join(f[1], reportFile), `"status": "pass"`, `"status": "fail"`)
			return f
		},
		"has no report.json, so that the run did not end": func(t *testing.T, f []string) []string {
			if err := os.Remove(filepath.Join(f[1], reportFile)); err != nil {
				t.Fatal(err)
			}
			return f
		},
		"/nowhere":                  func(_ *testing.T, f []string) []string { return append(f, "/nowhere") },
		"would change the evidence": func(_ *testing.T, f []string) []string { return append(f, "--out", filepath.Join(f[0], "merged")) },
	} {
		var folders []string
		for i, folder := range whole {
			folders = append(folders, filepath.Join(t.TempDir(), fmt.Sprint(i)))
			if err := os.CopyFS(folders[i], os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
		}
		out := filepath.Join(t.TempDir(), "merged")
		_, err := execute(t, append([]string{"merge", "--out", out}, change(t, folders)...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a folder was made: %v", want, err)
		}
	}
}

// edit changes the first place in a file.
func edit(t *testing.T, file, from, to string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(b), from, to, 1)
	if changed == string(b) {
		t.Fatalf("nothing was changed in %s", file)
	}
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestMergeExpandsPatterns fails if a container without a shell cannot merge what it has.
func TestMergeExpandsPatterns(t *testing.T) {
	dir := t.TempDir()
	one, two, odd := filepath.Join(dir, "run-1"), filepath.Join(dir, "run-2"), filepath.Join(dir, "odd[1]")
	for _, folder := range []string{one, two, odd} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got, err := expanded([]string{filepath.Join(dir, "run-*"), odd, filepath.Join(dir, "gone")})
	if want := []string{one, two, odd, filepath.Join(dir, "gone")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if _, err := expanded([]string{filepath.Join(dir, "none-*")}); err == nil || !strings.Contains(err.Error(), "no folder matches") {
		t.Errorf("nothing matches, and the error is %v", err)
	}
}
