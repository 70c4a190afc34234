package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/renameio/v2"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// A flag of `make scale`.
var scaleWrite = flag.String("scale.write", "", "merge shards of hundreds of cells, and write what that costs to this file")

// scaleShard is how many cells each of the merged shards has.
const scaleShard = 100

// TestManyCellsAreMerged measures the end of runs: what the reports of a shard cost, and what
// merging costs. The cells are recorded ones under other names. It takes many minutes.
func TestManyCellsAreMerged(t *testing.T) {
	if *scaleWrite == "" {
		t.Skip("make scale runs it")
	}
	var b strings.Builder
	b.WriteString("# Reports and merges of many cells\n\nWritten by `make scale`; do not edit. [Scale](../docs/scale.md) says what it means. The cells are those of\n" +
		"[recorded](recorded) under other names; everything else is real. Seconds are\nof CPU.\n\n## A shard\n\n| cells | judging | reports | evidence | report.json | report.html | junit.xml |\n|---|---|---|---|---|---|---|\n")
	var folders []string
	for i := range 16 {
		folder, row := scaleRun(t, i)
		folders = append(folders, folder)
		if i == 0 {
			b.WriteString(row)
		}
	}
	b.WriteString("\n## A merge\n\n| cells | shards | CPU | resident | CPU for each cell | resident for each cell |\n|---|---|---|---|---|---|\n")
	for _, n := range []int{1, 2, 4, 8, 16} {
		b.WriteString(mergeCost(t, folders[:n]))
	}
	if err := renameio.WriteFile(*scaleWrite, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// scaleRun leaves a finished run of scaleShard cells in a folder. It returns the row of what the
// end of the run cost.
func scaleRun(t *testing.T, index int) (folder, row string) {
	t.Helper()
	run, recorded, err := evidence.LoadFS(fixtures.Recorded())
	if err != nil {
		t.Fatal(err)
	}
	run.Version, run.Cells = version, nil
	var cells []evidence.CellRun
	for i := range scaleShard {
		c := recorded[i%len(recorded)]
		c.Cell.Name = fmt.Sprintf("c%05d", index*scaleShard+i)
		cells, run.Cells = append(cells, c), append(run.Cells, c.Cell)
	}
	folder = finishedRun(t, run, cells)
	if index > 0 {
		return folder, "" // a merge reads of its reports report.json alone
	}
	before := cpuSeconds(t)
	r, err := judge(run, cells)
	if err != nil {
		t.Fatal(err)
	}
	judged := cpuSeconds(t)
	reports := t.TempDir()
	if err := writeReports(reports, folder, r, cells, false); err != nil {
		t.Fatal(err)
	}
	return folder, fmt.Sprintf("| %d | %.1f s | %.1f s | %s | %s | %s | %s |\n", scaleShard, judged-before, cpuSeconds(t)-judged,
		megabytes(t, filepath.Join(folder, "cells")), megabytes(t, filepath.Join(reports, reportFile)), megabytes(t, filepath.Join(reports, pageFile)), megabytes(t, filepath.Join(reports, junitFile)))
}

// cpuSeconds returns the CPU time of this process.
func cpuSeconds(t *testing.T) float64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// megabytes returns the size of a file, or of all files below a folder.
func megabytes(t *testing.T, name string) string {
	t.Helper()
	sum := int64(0)
	err := filepath.WalkDir(name, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		sum += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%.1f MB", float64(sum)/1e6)
}

// mergeCost merges shards in a process of its own, and returns the row of what that cost.
func mergeCost(t *testing.T, folders []string) string {
	t.Helper()
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"merge", "--out", out}, folders...)...)
	cmd.Env = append(os.Environ(), asMain+"=1")
	said, err := cmd.CombinedOutput()
	// The recorded cells do not conform under names that no record of a known failure has.
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() == verdict.ExitNonConformant {
		err = nil
	}
	if err != nil {
		t.Fatalf("merge %d shards: %v\n%.2000s", len(folders), err, said)
	}
	usage, cells := cmd.ProcessState.SysUsage().(*syscall.Rusage), float64(len(folders)*scaleShard)
	cpu := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	resident := float64(usage.Maxrss) / 1024 // MiB
	return fmt.Sprintf("| %.0f | %d | %.1f s | %.0f MiB | %.0f ms | %.2f MiB |\n", cells, len(folders), cpu, resident, 1000*cpu/cells, resident/cells)
}
