package guestimage

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
)

// TestAnExportedImageIsTheOneThatWasBuilt fails if a program without a toolchain
// would boot another guest than a checkout does. It also fails if one starts that
// was not exported.
func TestAnExportedImageIsTheOneThatWasBuilt(t *testing.T) {
	dir := t.TempDir()
	text := bytes.Repeat([]byte("the same runtime in every program "), 1<<14)
	from := Image{Path: filepath.Join(dir, "initramfs"), Key: strings.Repeat("a", 64), Probes: []string{"facts"}, Go: "go1.26"}
	if err := os.WriteFile(from.Path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	rec, err := arch.Lookup("riscv64")
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := from.Export(out, rec.GOARCH); err != nil {
		t.Fatal(err)
	}
	builder := func() *Builder {
		c, err := cache.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		b := NewBuilder(c, nil, progress.Discard)
		b.Prebuilt = os.DirFS(out)
		b.Supplied = func(arch.Record) (string, error) { return "", nil }
		return b
	}
	got, err := builder().Image(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(got.Path)
	if err != nil || !bytes.Equal(b, text) {
		t.Errorf("the image has %d bytes, %v; %d were exported", len(b), err, len(text))
	}
	if got.Key != from.Key || got.Go != from.Go || len(got.Probes) != 1 {
		t.Errorf("%+v was made of %+v", got, from)
	}
	if rec, err = arch.Lookup("alpha"); err != nil {
		t.Fatal(err)
	}
	if _, err := builder().Image(t.Context(), rec); !errors.Is(err, ErrNotInside) {
		t.Errorf("of alpha nothing was exported, and the error is %v", err)
	}
	// This package assembles stage 0 of sw64, which needs no toolchain.
	if rec, err = arch.Lookup("sw64"); err != nil {
		t.Fatal(err)
	}
	if image, err := builder().Image(t.Context(), rec); err != nil || !image.Bare {
		t.Errorf("sw64 has %+v, %v", image, err)
	}
	damaged := filepath.Join(out, "riscv64"+exported)
	if err := os.WriteFile(damaged, []byte("\xfd7zXZ\x00and no more"), 0o644); err != nil {
		t.Fatal(err)
	}
	if rec, err = arch.Lookup("riscv64"); err != nil {
		t.Fatal(err)
	}
	if image, err := builder().Image(t.Context(), rec); err == nil {
		t.Errorf("a damaged image was taken: %+v", image)
	}
}
