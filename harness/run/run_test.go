package run

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/guest/guestimage"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/kernel"
	"github.com/mapstack/conformance/poc/catalog"
)

// source gives fake kernels and emulators.
type source struct {
	kernel func(ctx context.Context, cell matrix.Cell) error
	qemu   []string
}

func (s source) Image(ctx context.Context, cell matrix.Cell) (kernel.Image, error) {
	image := kernel.Image{Path: "/nowhere/kernel"}
	if s.kernel == nil {
		return image, nil
	}
	return image, s.kernel(ctx, cell)
}

func (s source) Find(context.Context, arch.Record) (toolbox.QEMU, error) {
	return toolbox.QEMU{Argv: s.qemu}, nil
}

type images struct{}

func (images) Image(context.Context, arch.Record) (guestimage.Image, error) {
	return guestimage.Image{Path: "/nowhere/initrd"}, nil
}

// bound binds cells to guests that boot the kernels of the engine's source.
func bound(e *Engine, cells ...matrix.Cell) (subjects []Bound) {
	kernels := e.Emulators.(source)
	for _, c := range cells {
		subjects = append(subjects, Bound{c, Guests{Kernel: func(ctx context.Context) (kernel.Image, error) { return kernels.Image(ctx, c) }}})
	}
	return subjects
}

var testTime = time.Unix(1e9, 0)

func cell(name, goarch string, memory int) matrix.Cell {
	return matrix.Cell{Name: name, Arch: goarch, CPUs: 1, Memory: memory}
}

func engine(s source) (*Engine, *[]progress.Event) {
	var mu sync.Mutex
	var events []progress.Event
	return &Engine{Emulators: s, Images: images{}, Host: evidence.Host{Cores: 2, MemoryMiB: 4096},
		Sink: func(e progress.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}}, &events
}

func runCells(t *testing.T, ctx context.Context, e *Engine, cells ...matrix.Cell) (map[string]*failure.Failure, string) {
	t.Helper()
	folder, err := evidence.Create(t.TempDir(), testTime)
	if err != nil {
		t.Fatal(err)
	}
	probes := map[string][]string{}
	for _, c := range cells {
		probes[c.Name] = []string{catalog.Facts}
	}
	results, err := e.Cells(ctx, bound(e, cells...), probes, folder)
	if err != nil {
		t.Fatal(err)
	}
	failures := map[string]*failure.Failure{}
	for i, r := range results {
		if r.Cell.Name != cells[i].Name {
			t.Errorf("result %d is of cell %s, not %s", i, r.Cell.Name, cells[i].Name)
		}
		failures[r.Cell.Name] = r.Failure
	}
	return failures, folder.Path()
}

func TestOneCellsTroubleIsThatCellsOnly(t *testing.T) {
	e, _ := engine(source{qemu: []string{"/nowhere/qemu"}, kernel: func(_ context.Context, c matrix.Cell) error {
		switch c.Name {
		case "no-mirror":
			return errors.New("the mirror cannot be reached")
		case "other-arch":
			return &kernel.WrongArchError{Want: "arm64", Got: "amd64"}
		}
		return nil
	}})
	failures, path := runCells(t, context.Background(), e,
		cell("no-mirror", "arm64", 512), cell("other-arch", "arm64", 512), cell("no-qemu", "arm64", 512), cell("too-big", "arm64", 1<<20))
	for name, want := range map[string]struct {
		kind failure.Kind
		text string
	}{
		"no-mirror":  {failure.Infra, "mirror cannot be reached"},
		"other-arch": {failure.WrongArch, "the kernel is for amd64"},
		"no-qemu":    {failure.Infra, "/nowhere/qemu"},
		"too-big":    {failure.Infra, "this host lends guests 3072 MiB"},
	} {
		f := failures[name]
		if f == nil || f.Kind != want.kind || !strings.Contains(f.Message, want.text) {
			t.Errorf("%s: %+v, want %s with %q", name, f, want.kind, want.text)
		}
		if _, err := os.Stat(filepath.Join(path, "cells", name, "cell.json")); err != nil {
			t.Errorf("%s left no evidence: %v", name, err)
		}
	}
}

// TestTheVerdictOnACellIsSaidWhenTheCellEnds fails if a reader has to wait for the last cell.
func TestTheVerdictOnACellIsSaidWhenTheCellEnds(t *testing.T) {
	e, events := engine(source{kernel: func(context.Context, matrix.Cell) error { return errors.New("no mirror") }})
	e.Verdict = func(c evidence.CellRun) string { return c.Cell.Name + " " + string(c.Failure.Kind) }
	runCells(t, context.Background(), e, cell("a", "amd64", 512))
	last := (*events)[len(*events)-1]
	if last.Stage != progress.Finished || last.What != "a infra" || last.Err == nil {
		t.Errorf("%+v", last)
	}
}

func TestAStoppedRunLeavesEvidenceOfEveryCell(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	e, events := engine(source{kernel: func(ctx context.Context, _ matrix.Cell) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}})
	failures, _ := runCells(t, ctx, e, cell("a", "amd64", 512), cell("b", "arm64", 512), cell("c", "s390x", 512))
	for name, f := range failures {
		if f == nil || f.Kind != failure.Interrupted {
			t.Errorf("%s: %+v, want interrupted", name, f)
		}
	}
	finished := 0
	for _, ev := range *events {
		if ev.Stage == progress.Finished {
			finished++
		}
	}
	if finished != 3 {
		t.Errorf("%d of 3 cells were said to be finished", finished)
	}
}

func TestGuestsNeverHaveMoreThanTheBudget(t *testing.T) {
	const budget = 1000
	cores, memory := newAdmission(8, func() float64 { return 0 }), semaphore.NewWeighted(budget)
	var mu sync.Mutex
	var used, peak int64
	add := func(n int64) {
		mu.Lock()
		defer mu.Unlock()
		used += n
		peak = max(peak, used)
	}
	var wg sync.WaitGroup
	for i := range 50 {
		need := int64(100 + i*10)
		wg.Go(func() {
			err := within(context.Background(), cores, memory, need, budget, func() error {
				add(need)
				defer add(-need)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if peak > budget || peak == 0 || used != 0 {
		t.Errorf("peak %d of %d, %d left", peak, budget, used)
	}
}

func TestThisHostIsMeasured(t *testing.T) {
	h, err := MeasureHost()
	if err != nil || h.Cores < 1 || h.MemoryMiB < 64 || h.PageSize < 4096 || h.Arch == "" {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestAStoppedGuestsConsoleIsNoExplanation fails if Ctrl-C during the whole matrix
// prints twenty healthy lines for every guest that ran.
func TestAStoppedGuestsConsoleIsNoExplanation(t *testing.T) {
	for kind, want := range map[failure.Kind]string{failure.Interrupted: "", failure.Panic: "not syncing"} {
		f := asFailure(t.Context(), &failure.Failure{Kind: kind, Console: "not syncing"})
		if f.Console != want {
			t.Errorf("%s: console %q", kind, f.Console)
		}
	}
}

func TestAGuestGetsTheParametersOfItsCell(t *testing.T) {
	e, _ := engine(source{qemu: []string{"/nowhere/qemu"}})
	e.Params = []arch.Param{{Value: "quiet", Reason: "asked for"}}
	c := cell("set", "amd64", 512)
	c.Params = []arch.Param{{Value: "transparent_hugepage=never", Reason: "as vendors have it"}}
	c.Policy = []matrix.Setting{{Of: matrix.OfSysctl, Name: "vm.overcommit_ratio", Value: "200", Source: "a file"}, {Of: matrix.OfSession, Name: "tasks", Value: "max", Source: "a file"}}
	f := &factory{engine: e, cell: c}
	if err := f.gather(t.Context(), func(context.Context) (kernel.Image, error) { return kernel.Image{Path: "/nowhere/kernel"}, nil }); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range f.config.Params() {
		if p.Reason == "" {
			t.Errorf("nothing says why the guest gets %s", p.Value)
		}
		got = append(got, p.Value)
	}
	if all := strings.Join(got, " "); !strings.HasSuffix(all, " quiet transparent_hugepage=never sysctl.vm.overcommit_ratio=200") {
		t.Errorf("the guest gets %s", all)
	}
}
