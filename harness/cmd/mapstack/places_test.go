package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
)

// recordedRun returns the folder of a finished run, with its report.
func recordedRun(t *testing.T) string {
	t.Helper()
	run, cells, err := evidence.LoadFS(fixtures.Recorded())
	if err != nil {
		t.Fatal(err)
	}
	run.Cells, cells = run.Cells[:1], cells[:1]
	return finishedRun(t, run, cells)
}

// TestARunIsNamedByItsFolderOrItsReport fails if a command takes one of them alone, or if
// verdict without a word judges another run than the one that ended last.
func TestARunIsNamedByItsFolderOrItsReport(t *testing.T) {
	folder := recordedRun(t)
	report := filepath.Join(folder, reportFile)
	for _, line := range []string{"verdict RUN", "diff RUN RUN", "export RUN --format markdown", "claims article RUN", "diff RUN@alpha-6.1 RUN@alpha-6.1"} {
		one, err := execute(t, strings.Fields(strings.ReplaceAll(line, "RUN", folder))...)
		two, err2 := execute(t, strings.Fields(strings.ReplaceAll(line, "RUN", report))...)
		if one != two || (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
			t.Errorf("%s: %v and %v\n%s\n%s", line, err, err2, one, two)
		}
	}
	if place := runFolder(filepath.Join(t.TempDir(), reportFile)); filepath.Base(place) != reportFile {
		t.Errorf("a report that is not there is taken for the folder %s", place)
	}

	t.Chdir(t.TempDir())
	if _, err := execute(t, "verdict"); err == nil || !strings.Contains(err.Error(), "there is no out/latest") {
		t.Errorf("without a run: %v", err)
	}
	if err := os.MkdirAll("out", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join("out", "20260131-235959"), os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the link is made, and made again
		linkLatest(filepath.Join("out", "20260131-235959"))
	}
	shown, err := execute(t, "verdict")
	if err != nil || !strings.Contains(shown, "The newest run is out/20260131-235959.") {
		t.Errorf("%v\n%s", err, shown)
	}
	// Somebody's folder of that name stays.
	if err := os.Remove(filepath.Join("out", latestLink)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join("out", latestLink), 0o755); err != nil {
		t.Fatal(err)
	}
	linkLatest(filepath.Join("out", "20260131-235959"))
	if info, err := os.Lstat(filepath.Join("out", latestLink)); err != nil || !info.IsDir() {
		t.Errorf("%v, %v", info, err)
	}
}

// TestMergeTakesALinkOrACopyForTheRunItself fails if out/* cannot be merged because of the link
// to the last run, or of the copy that an archive has in its place.
func TestMergeTakesALinkOrACopyForTheRunItself(t *testing.T) {
	_, _, folders := shards(t, 2)
	dir := t.TempDir()
	link, copied := filepath.Join(dir, "out", latestLink), filepath.Join(dir, latestLink)
	if err := os.Mkdir(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(folders[1], link); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(copied, os.DirFS(folders[0])); err != nil {
		t.Fatal(err)
	}
	shown, err := execute(t, append([]string{"merge", "--out", filepath.Join(dir, "merged"), link, copied}, folders...)...)
	if err != nil && exitCode(err) > 2 {
		t.Errorf("%v\n%s", err, shown)
	}
}
