//go:build boot

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/progress/events"
)

// TestBootAKilledShardIsGoneOnWithAndMerged kills one of two shards with SIGKILL, goes on with
// it, and merges both. It fails if a probe run that had ended runs again, or if the merged run
// decides anything otherwise than a whole one.
func TestBootAKilledShardIsGoneOnWithAndMerged(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	dir := t.TempDir()
	program := filepath.Join(dir, "mapstack")
	said(t, exec.CommandContext(ctx, "go", "build", "-o", program, "."))
	common := []string{"--cell", "amd64-debian12-6.1,s390x-debian12-6.1", "--focus", "mapstack,mmapabi,clone,protection"}
	run := func(args ...string) []string { return append([]string{"run"}, append(args, common...)...) }
	said(t, exec.CommandContext(ctx, program, run("--out", filepath.Join(dir, "whole"))...))
	said(t, exec.CommandContext(ctx, program, run("--shard", "2/2", "--out", filepath.Join(dir, "two"))...))

	first := exec.CommandContext(ctx, program, run("--shard", "1/2", "--out", filepath.Join(dir, "one"), "--json-events", filepath.Join(dir, "events.1"))...)
	first.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	for begun := false; !begun; {
		select {
		case err := <-ended:
			t.Fatalf("the shard ended before it was killed: %v", err)
		case <-time.After(10 * time.Millisecond):
			found, err := filepath.Glob(filepath.Join(dir, "one", "[0-9]*", "cells", "*", "part.json"))
			if err != nil {
				t.Fatal(err)
			}
			begun = len(found) > 0 && len(probed(t, filepath.Join(dir, "events.1"))) > 3
		}
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	folder := theRun(t, filepath.Join(dir, "one"))
	_, cells, err := evidence.Load(folder)
	if err != nil || len(cells) != 1 || cells[0].Ended() || len(cells[0].Runs) == 0 {
		t.Fatalf("the killed run left %+v, %v", cells, err)
	}
	said(t, exec.CommandContext(ctx, program, "run", "--resume", folder, "--json-events", filepath.Join(dir, "events.2")))
	for probe := range probed(t, filepath.Join(dir, "events.2")) {
		if r, ran := cells[0].Runs[probe]; ran && r.Guest != evidence.Saved {
			t.Errorf("probe %s had ended, and ran again", probe)
		}
	}
	said(t, exec.CommandContext(ctx, program, "merge", "--out", filepath.Join(dir, "merged"), folder, theRun(t, filepath.Join(dir, "two"))))
	merged := theRun(t, filepath.Join(dir, "merged"))
	said(t, exec.CommandContext(ctx, program, "verdict", merged))

	statuses := map[string]verdict.Status{}
	for i, at := range []string{theRun(t, filepath.Join(dir, "whole")), merged} {
		run, cells, err := evidence.Load(at)
		if err != nil {
			t.Fatal(err)
		}
		r, err := judge(run, cells)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range r.Outcomes {
			name := o.Cell + " " + o.Claim
			if i == 1 && statuses[name] != o.Status {
				t.Errorf("%s is %s in the merged run, and %s in the whole one", name, o.Status, statuses[name])
			}
			statuses[name] = o.Status
		}
		if i == 1 && len(r.Outcomes) != len(statuses) {
			t.Errorf("%d outcomes of %d", len(r.Outcomes), len(statuses))
		}
	}
}

// probed returns the probes that ended, of a file of events.
func probed(t *testing.T, file string) map[string]bool {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	probes := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		var l events.Line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			continue // the line that was being written
		}
		if l.Stage == string(progress.Probe) && l.End && l.Error == "" {
			probes[l.What] = true
		}
	}
	return probes
}

// theRun returns the folder of the one run below another.
func theRun(t *testing.T, out string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(out, "[0-9]*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s has %s, %v", out, strings.Join(found, " "), err)
	}
	return found[0]
}
