package guestimage

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
)

// TestSuppliedProgramsAreCheckedBeforeAGuestBoots fails if a program of another
// architecture, or no program at all, gets as far as a guest. The kernel would be
// blamed for it.
func TestSuppliedProgramsAreCheckedBeforeAGuestBoots(t *testing.T) {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	good := t.TempDir()
	cmd := exec.Command("go", "build", "-o", good+"/", "../../../poc/guest")
	cmd.Env = append(os.Environ(), "GOARCH=loong64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	empty, text, twice := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(text, "guest"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(good, "guest"), filepath.Join(twice, "facts")); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ dir, goarch, wrong string }{
		{good, "loong64", ""},
		{good, "arm64", "EM_LOONGARCH"},
		{empty, "loong64", "holds no file guest"},
		{twice, "loong64", "facts is in the program guest already"},
		{text, "loong64", "no ELF file"},
		{filepath.Join(empty, "absent"), "loong64", "no such file"},
	} {
		rec, err := arch.Lookup(tc.goarch)
		if err != nil {
			t.Fatal(err)
		}
		b := NewBuilder(c, nil, progress.Discard)
		b.Folder = tc.dir
		image, err := b.Image(t.Context(), rec)
		if tc.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), tc.wrong) {
				t.Errorf("%s for %s: %v", tc.dir, tc.goarch, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := image.Programs(); err != nil || len(got) != len(image.Probes)+2 || got["stage0"] == nil || got["init"] == nil || got["probes/facts"] == nil || len(image.Key) != 64 {
			t.Errorf("%d programs, key %q, %v", len(got), image.Key, err)
		}
	}
}

func FuzzSuppliedProgramsAreAnyBytes(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	rec, err := arch.Lookup("loong64")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) { _ = static(b, rec) })
}
