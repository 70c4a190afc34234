package bundle

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestABundleHoldsWhatWasPutIn fails if a bundle lacks the program or a file, or if
// equal parts give different bytes.
func TestABundleHoldsWhatWasPutIn(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if own, err := Own(); own != nil || err != nil {
		t.Fatalf("this test is taken for a bundle: %v, %v", own, err)
	}
	dir := t.TempDir()
	stored := filepath.Join(dir, "stored")
	if err := os.WriteFile(stored, []byte("a package"), 0o644); err != nil {
		t.Fatal(err)
	}
	files := []File{{Name: "pool/a.deb", Path: stored}, {Name: "dists/x/InRelease", Data: []byte("signed")}, {Name: "pool/a.deb", Path: stored}}
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	if err := Write(t.Context(), one, program, files); err != nil {
		t.Fatal(err)
	}
	// A bundle made from a bundle leaves the old archive out.
	if err := Write(t.Context(), two, one, files); err != nil {
		t.Fatal(err)
	}
	a, errA := os.ReadFile(one)
	b, errB := os.ReadFile(two)
	text, errT := os.ReadFile(program)
	if errA != nil || errB != nil || errT != nil || !bytes.Equal(a, b) || !bytes.HasPrefix(a, text) {
		t.Errorf("%d and %d bytes of a program of %d: %v, %v, %v", len(a), len(b), len(text), errA, errB, errT)
	}
	mirror, err := Open(one)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"pool/a.deb": "a package", "dists/x/InRelease": "signed"} {
		if got, err := fs.ReadFile(mirror, name); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if info, err := os.Stat(one); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the bundle is no program: %v, %v", info.Mode(), err)
	}
}

// TestADamagedBundleIsNoPlainProgram fails if a bundle that was cut off is taken for
// a program without packages, which would download them.
func TestADamagedBundleIsNoPlainProgram(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	if err := Write(t.Context(), whole, program, []File{{Name: "pool/a.deb", Data: bytes.Repeat([]byte("package "), 1000)}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	behind := len(text) - int(info.Size())
	damaged := filepath.Join(dir, "damaged")
	for _, left := range []int{1, behind / 2, behind - 1} {
		if err := os.WriteFile(damaged, text[:int(info.Size())+left], 0o755); err != nil {
			t.Fatal(err)
		}
		if got, err := Open(damaged); err == nil || !strings.Contains(err.Error(), "copy the bundle again") {
			t.Errorf("%d of %d bytes are left: %v, %v", left, behind, got, err)
		}
	}
	text[int(info.Size())+200] ^= 1
	if err := os.WriteFile(damaged, text, 0o755); err != nil {
		t.Fatal(err)
	}
	mirror, err := Open(damaged)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(mirror, "pool/a.deb"); err == nil {
		t.Errorf("a changed file was read: %d bytes", len(got))
	}
	if err := os.WriteFile(damaged, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Open(damaged); err == nil {
		t.Errorf("of no program: %v", got)
	}
}

// FuzzOpen reads a program that was damaged on its way, or made by somebody else.
func FuzzOpen(f *testing.F) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	if err := add(w, File{Name: "pool/a.deb", Data: []byte("a package")}); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	var program bytes.Buffer
	head := elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT), Ehsize: 64}
	if err := binary.Write(&program, binary.LittleEndian, head); err != nil {
		f.Fatal(err)
	}
	f.Add(program.Bytes())
	f.Add(append(program.Bytes(), archive.Bytes()...))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		mirror, err := Open(path)
		if err != nil || mirror == nil {
			return
		}
		if file, err := mirror.Open("pool/a.deb"); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(file, 1<<20))
			_ = file.Close()
		}
	})
}
