//go:build boot

package kernel

import (
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
)

var updateLock = flag.Bool("update-lock", false, "write fixtures/kernels.lock from what the suites hold now")

const fixturesDir = "../../../fixtures"

// TestEveryCellsKernelResolvesAndUnwraps works on the real archive, with an
// empty cache unless MAPSTACK_TEST_CACHE names one.
func TestEveryCellsKernelResolvesAndUnwraps(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(fixturesDir, "cells.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cells, err := matrix.Parse("cells.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	dir := os.Getenv("MAPSTACK_TEST_CACHE")
	if dir == "" {
		dir = t.TempDir()
	}
	c, err := cache.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	mirror, err := debian.FindMirror(t.Context(), debian.ThisHost())
	if err != nil {
		t.Fatal(err)
	}
	client := debian.NewClient(c, mirror, os.DirFS(filepath.Join(fixturesDir, "keyrings")), progress.Discard)
	r := NewResolver(FromDebian(client), c, Lock{}, false, progress.Discard)

	pins := make([]Pin, len(cells))
	var all sync.WaitGroup
	start := time.Now()
	for i, cell := range cells {
		all.Go(func() {
			image, err := r.Image(t.Context(), cell)
			if err != nil {
				t.Error(err)
				return
			}
			if image.Config == "" {
				t.Errorf("%s: no configuration", cell.Name)
			}
			st, err := os.Stat(image.Path)
			if err != nil {
				t.Error(err)
				return
			}
			if pins[i], err = r.Resolve(t.Context(), cell); err != nil {
				t.Error(err)
			}
			t.Logf("%s: %s: package %d bytes, image %d bytes, %s out of %q, after %s; %s", cell.Name, image.Release,
				image.Provenance.Size, st.Size(), image.Format, image.Layers, time.Since(start).Round(time.Millisecond), image.Banner)
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	writeLock(t, pins)
}

func writeLock(t *testing.T, pins []Pin) {
	t.Helper()
	var l Lock
	for _, p := range pins {
		l = l.With(p)
	}
	out, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := ParseLock("kernels.lock", out); err != nil || len(back.Kernels) == 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	if *updateLock {
		if err := os.WriteFile(filepath.Join(fixturesDir, "kernels.lock"), out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
