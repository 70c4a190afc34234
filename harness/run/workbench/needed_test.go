package workbench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
)

// TestWhatARunDownloadsIsListed fails if a list leaves out a package, names one twice, or has
// another one than a run would take. The lock names the kernels, and PATH has the emulators.
func TestWhatARunDownloadsIsListed(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"qemu-system-x86_64", "qemu-system-loongarch64"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho QEMU emulator version 10.0.2\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	bench, err := Open(t.Context(), Options{Dir: ".", Data: fixtures.FS(), Sink: progress.Discard, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	all, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	cells, err := matrix.Select(all, matrix.Selection{Cell: "amd64-debian12-6.1,amd64-debian12-6.1-settings,loong64-debian14-newest"})
	if err != nil {
		t.Fatal(err)
	}
	needs := bench.Needs()
	if err := needs.Cells(t.Context(), cells); err != nil {
		t.Fatal(err)
	}
	needed := needs.List()
	lock, err := os.ReadFile("../../../fixtures/kernels.lock")
	if err != nil {
		t.Fatal(err)
	}
	cellsOf := map[string]int{}
	for _, p := range needed {
		if p.What != "kernel" || p.Cached || p.Size == 0 || p.From == "" || !strings.Contains(string(lock), p.SHA256) || !strings.Contains(string(lock), p.Filename) {
			t.Errorf("%+v", p)
		}
		for _, cell := range p.Cells {
			cellsOf[cell]++
		}
	}
	// Since Debian 14 the configuration has a package of its own.
	if cellsOf["amd64-debian12-6.1"] != 1 || cellsOf["amd64-debian12-6.1-settings"] != 1 || cellsOf["loong64-debian14-newest"] != 2 || len(needed) != 3 {
		t.Errorf("%d packages, %v", len(needed), cellsOf)
	}
	arm, err := matrix.Select(all, matrix.Selection{Cell: "arm64-debian12-6.1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/usr/bin/qemu-system-aarch64"); err == nil {
		return // PATH has that one, too
	}
	if err := bench.Needs().Cells(t.Context(), arm); err == nil || !strings.Contains(err.Error(), "emulator of arm64") {
		t.Errorf("without an index nobody knows the packages of QEMU, and the list says nothing of it: %v", err)
	}
}
