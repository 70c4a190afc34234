package kernel

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/decompress"
)

// sourceShelf returns a shelf with a source package. Its tree holds one file.
func sourceShelf(t *testing.T) *shelf {
	t.Helper()
	var tree bytes.Buffer
	w := tar.NewWriter(&tree)
	const text = "all:\n"
	if err := w.WriteHeader(&tar.Header{Name: "linux-source-6.1/Makefile", Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := newShelf(t)
	s.add("bookworm", sourceArch, "linux-source-6.1", "6.1.176-1", "",
		entry{"usr/src/linux-source-6.1.tar.xz", squeeze(t, decompress.XZ, tree.Bytes())})
	s.add("bookworm", sourceArch, "linux-source-6.2", "6.2.9-1", "", entry{"usr/share/doc/readme", []byte("nothing")})
	return s
}

// tools puts into PATH compilers that do nothing, and a make that runs the given
// script.
func tools(t *testing.T, makes string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"alpha-linux-gnu-gcc-12": "case $1 in -dumpfullversion) echo 12.2.0;; *) echo /lib/x;; esac", "alpha-linux-gnu-gccgo-12": "exit 1",
		"alpha-linux-gnu-ld": "exit 1", "gcc": "exit 1", "flex": "exit 1", "bison": "exit 1", "bc": "exit 1", "make": makes,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/bash\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
}

// makes does what a caller sees of kbuild: it writes a configuration, then a kernel.
const makes = `for a; do case $a in O=*) out=${a#O=};; esac; done
test -f "$2/Makefile" || { echo no tree; exit 2; }
case ${!#} in allnoconfig) cp "$KCONFIG_ALLCONFIG" $out/.config;; vmlinux) cp "$VMLINUX" $out/vmlinux;; esac`

func TestAKernelIsBuiltOnceFromItsSource(t *testing.T) {
	vmlinux := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(vmlinux, tinyELF(t, 0x9026, binary.LittleEndian), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VMLINUX", vmlinux)
	cell := matrix.Cell{Name: "twin", Arch: "alpha", Kernel: matrix.Kernel{From: matrix.Source, Suite: "bookworm", Package: "linux-source-6.1", Series: "6.1"}}
	for name, tc := range map[string]struct {
		makes, config, want string
		change              func(*matrix.Cell)
	}{
		"works":               {makes, "CONFIG_PCI=y\n", "", nil},
		"an option is lost":   {makes + "\nsed -i /PCI/d $out/.config", "# why\nCONFIG_PCI=y\n", "did not take CONFIG_PCI=y", nil},
		"make fails":          {"echo cannot compile x.c; exit 2", "", "cannot compile x.c", nil},
		"no kernel comes out": {strings.Replace(makes, "vmlinux)", "never)", 1), "", "read the built kernel", nil},
		"another series":      {makes, "", "6.12", func(c *matrix.Cell) { c.Kernel.Series = "6.12" }},
		"no source package":   {makes, "", "linux-source-6.1", func(c *matrix.Cell) { c.Kernel.Package = "linux-image-6.1" }},
		"an empty package":    {makes, "", "holds no linux-source", func(c *matrix.Cell) { c.Kernel.Package, c.Kernel.Series = "linux-source-6.2", "6.2" }},
	} {
		t.Run(name, func(t *testing.T) {
			tools(t, tc.makes)
			c, err := cache.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			r := NewResolver(sourceShelf(t), c, Lock{}, false, progress.Discard)
			r.Config = func(arch.Record) ([]byte, error) { return []byte(tc.config), nil }
			cell := cell
			if tc.change != nil {
				tc.change(&cell)
			}
			image, err := r.Image(context.Background(), cell)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Fatalf("%v, want %q", err, tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			p := image.Provenance
			if p.Kind != sourceKind || p.Package != "linux-source-6.1" || p.SHA256 == "" || p.Compiler != "alpha-linux-gnu-gcc 12.2.0" || image.Format != ELF || image.ConfigSHA256 == "" {
				t.Errorf("%+v", image)
			}
			tools(t, "exit 9") // nothing is built again
			if again, err := r.Image(context.Background(), cell); err != nil || again.Path != image.Path {
				t.Errorf("%+v, %v", again, err)
			}
		})
	}
}

func TestASuppliedKernelIsReadAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vendor")
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := NewResolver(newShelf(t), c, Lock{}, false, progress.Discard)
	r.Supplied = func(arch.Record) (string, error) { return path, nil }
	cell := matrix.Cell{Name: "board", Arch: "sw64", Kernel: matrix.Kernel{From: matrix.Supplied}}
	for _, machine := range []uint16{0x9916, 268} {
		write(tinyELF(t, elf.Machine(machine), binary.LittleEndian))
		image, err := r.Image(t.Context(), cell)
		if err != nil || image.Provenance.Kind != fileKind || image.Provenance.Filename != "vendor" || image.Provenance.SHA256 == "" {
			t.Errorf("machine %d: %+v, %v", machine, image, err)
		}
	}
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"another architecture": {tinyELF(t, 0x9026, binary.LittleEndian), "is for alpha, the cell is for sw64"},
		"no kernel":            {[]byte("hello, this is text"), "no kernel in a form known here"},
		"an empty file":        {nil, "no kernel in a form known here"},
	} {
		write(tc.file)
		if _, err := r.Image(t.Context(), cell); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	path = t.TempDir()
	if _, err := r.Image(t.Context(), cell); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder: %v", err)
	}
}
