package run

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/poc/catalog"
)

// wanted are probes that run one after another in one guest, and one that has a guest of its
// own.
var wanted = []string{"sigstack", "sysconf", "tracing", "p"}

// begin runs the cell c in a folder that can be gone on with. at is called with the folder when
// the probe begins to run.
func begin(t *testing.T, ctx context.Context, e *Engine, probe string, at func(folder string)) (string, evidence.CellRun) {
	t.Helper()
	folder, err := evidence.Begin(t.TempDir(), testTime, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	subjects := bound(e, cell("c", "amd64", 64))
	if err := folder.WriteRun(evidence.Run{Cells: []matrix.Cell{subjects[0].Cell}}); err != nil {
		t.Fatal(err)
	}
	next := e.Sink
	e.Sink = func(ev progress.Event) {
		next(ev)
		if ev.Stage == progress.Probe && ev.What == probe && !ev.End {
			at(folder.Path())
		}
	}
	results, err := e.Cells(ctx, subjects, map[string][]string{"c": wanted}, folder)
	if err != nil {
		t.Fatal(err)
	}
	return folder.Path(), results[0]
}

// goOn runs the rest of the run in a folder, and returns the cell and the probes that ran.
func goOn(t *testing.T, e *Engine, folder string) (evidence.CellRun, []string) {
	t.Helper()
	i, err := evidence.Reopen(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Folder.Close()
	if err := i.Prepare(); err != nil {
		t.Fatal(err)
	}
	e.Earlier = map[string]evidence.CellRun{"c": i.Cells[0]}
	var mu sync.Mutex
	var ran []string
	e.Sink = func(ev progress.Event) {
		mu.Lock()
		defer mu.Unlock()
		if ev.Stage == progress.Probe && !ev.End {
			ran = append(ran, ev.What)
		}
	}
	subjects := bound(e, i.Run.Cells...)
	if err := e.Same(t.Context(), subjects); err != nil {
		t.Fatal(err)
	}
	results, err := e.Cells(t.Context(), subjects, map[string][]string{"c": wanted}, i.Folder)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ran)
	return results[0], ran
}

// timeless returns a cell without what differs from run to run: times, and which probe of a
// shared guest came first.
func timeless(c evidence.CellRun) evidence.CellRun {
	c.Schema, c.Seconds = "", 0
	if c.QEMU != nil {
		q := *c.QEMU
		q.Argv, c.QEMU = nil, &q
	}
	if c.Guest != nil {
		g := *c.Guest
		g.BootSeconds, c.Guest = 0, &g
	}
	runs := map[string]evidence.ProbeRun{}
	for probe, r := range c.Runs {
		runs[probe] = evidence.ProbeRun{Failure: r.Failure, Earlier: r.Earlier}
	}
	c.Runs = runs
	return c
}

// copyWhileWritten copies a folder in which files are replaced, so that one may be gone before it
// is read. Then it copies again.
func copyWhileWritten(t *testing.T, from, to string) {
	t.Helper()
	for t.Context().Err() == nil {
		err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from)))
		if !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
}

// TestARunThatIsGoneOnWithIsLikeAWholeOne fails if a probe run that has ended is run again, or
// if the evidence of both differs. A copy of the folder is what kill -9 leaves.
func TestARunThatIsGoneOnWithIsLikeAWholeOne(t *testing.T) {
	for _, script := range []string{"behaves", "cannot be saved"} {
		t.Run(script, func(t *testing.T) {
			e, _ := scripted(t, script)
			cut := filepath.Join(t.TempDir(), "cut")
			_, whole := begin(t, t.Context(), e, "tracing", func(folder string) {
				copyWhileWritten(t, folder, cut)
			})
			if whole.Failure != nil || len(whole.Transcripts) < len(wanted) {
				t.Fatalf("%v, %d transcripts", whole.Failure, len(whole.Transcripts))
			}
			snapshots := e.Snapshots
			e, _ = scripted(t, script)
			e.Snapshots = snapshots
			again, ran := goOn(t, e, cut)
			for _, probe := range []string{"sigstack", "sysconf"} {
				if slices.Contains(ran, probe) {
					t.Errorf("%s had ended and ran again: %v", probe, ran)
				}
			}
			if !slices.Contains(ran, "tracing") {
				t.Errorf("tracing had not ended, and what ran is %v", ran)
			}
			if d := cmp.Diff(timeless(whole), timeless(again)); d != "" {
				t.Error(d)
			}
			_, cells, err := evidence.Load(cut)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(timeless(whole), timeless(cells[0]), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("the folder: %s", d)
			}
			if r, err := evidence.Replay(os.DirFS(cut), cells); err != nil || r.Compared == 0 {
				t.Errorf("%+v, %v", r, err)
			}
			if _, ran := goOn(t, e, cut); len(ran) > 0 {
				t.Errorf("the cell had ended, and %v ran again", ran)
			}
		})
	}
}

// TestAStoppedRunIsGoneOnWith fails if Ctrl-C loses what had ended.
func TestAStoppedRunIsGoneOnWith(t *testing.T) {
	e, _ := scripted(t, "behaves")
	ctx, stop := context.WithCancel(t.Context())
	folder, stopped := begin(t, ctx, e, "tracing", func(string) { stop() })
	if stopped.Failure == nil || stopped.Failure.Kind != failure.Interrupted {
		t.Fatalf("%+v", stopped.Failure)
	}
	snapshots := e.Snapshots
	e, _ = scripted(t, "behaves")
	e.Snapshots = snapshots
	c, ran := goOn(t, e, folder)
	if c.Failure != nil || len(c.Transcripts) < len(wanted) || slices.Contains(ran, "sigstack") {
		t.Errorf("%v, %d transcripts, %v ran", c.Failure, len(c.Transcripts), ran)
	}
	for _, file := range []string{"cell.json", "part.json"} {
		_, err := os.Stat(filepath.Join(folder, "cells/c", file))
		if there := err == nil; there != (file == "cell.json") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestAnotherKernelIsNotGoneOnWith fails if half of a cell is about one kernel or emulator, and
// half about another.
func TestAnotherKernelIsNotGoneOnWith(t *testing.T) {
	e, _ := scripted(t, "behaves")
	subjects := bound(e, cell("c", "amd64", 64))
	made, err := subjects[0].Where.made(t.Context(), e, subjects[0].Cell)
	if err != nil {
		t.Fatal(err)
	}
	made.Cell = subjects[0].Cell
	for want, change := range map[string]func(c *evidence.CellRun){
		"":                                  func(*evidence.CellRun) {},
		"with another kernel (":             func(c *evidence.CellRun) { c.Kernel.Provenance.SHA256 = "x" },
		"with another kernel image (":       func(c *evidence.CellRun) { c.Kernel.ImageSHA256 = "x" },
		"with another emulator (":           func(c *evidence.CellRun) { c.QEMU.Build = "x" },
		"with another accelerator (kvm)":    func(c *evidence.CellRun) { c.QEMU.Accelerator = string(qemu.KVM) },
		"with another list of kernel param": func(c *evidence.CellRun) { c.QEMU.Params = []arch.Param{{Value: "x"}} },
		"with another guest image (":        func(c *evidence.CellRun) { c.Guest.Image = "x" },
	} {
		earlier := made
		kernel, emulator, guest := *made.Kernel, *made.QEMU, *made.Guest
		earlier.Kernel, earlier.QEMU, earlier.Guest = &kernel, &emulator, &guest
		change(&earlier)
		e.Earlier = map[string]evidence.CellRun{"c": earlier}
		err := e.Same(t.Context(), subjects)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	e.Earlier = map[string]evidence.CellRun{"c": made}
	running := Bound{Cell: subjects[0].Cell, Where: Running{}}
	if err := e.Same(t.Context(), []Bound{running}); err == nil || !strings.Contains(err.Error(), "a system that runs already") {
		t.Error(err)
	}
}

func TestPlannedGuestsAreThoseOfARun(t *testing.T) {
	c := cell("c", "amd64", 64)
	probes := []string{catalog.Facts, "mapstack", "sigstack", "newosproc", "threadlimits", "stage0"}
	shared := Planned(c, probes, false)
	if len(shared) < 2 || !slices.Contains(shared[0], catalog.Facts) || !slices.Contains(shared[0], "sigstack") {
		t.Errorf("%v", shared)
	}
	if alone := Planned(c, probes, true); len(alone) != len(probes)-1 {
		t.Errorf("isolated: %v", alone)
	}
}
