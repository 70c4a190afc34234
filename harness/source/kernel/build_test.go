package kernel

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
	s.add("bookworm", sourceArch, "linux-source", "6.1.176-1", "linux-base (>= 4.5), linux-source-6.1 (= 6.1.176-1)")
	s.add("trixie", sourceArch, "linux-source", "6.12.1-1", "linux-base")
	return s
}

// tools puts into PATH compilers that do nothing, and a make that runs the given
// script.
func tools(t *testing.T, makes string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"alpha-linux-gnu-gcc-12": "case $1 in -dumpfullversion) echo 12.2.0;; *) echo /lib/x;; esac", "alpha-linux-gnu-gccgo-12": "exit 1",
		"alpha-linux-gnu-ld": "exit 1", "ld": "exit 1", "gcc": "case $1 in -dumpfullversion) echo 14.2.0;; *) echo /lib/x;; esac", "flex": "exit 1", "bison": "exit 1", "bc": "exit 1", "make": makes,
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
	cell := matrix.Cell{Name: "twin", Arch: "alpha", Kernel: matrix.Kernel{From: matrix.Source, Suite: "bookworm", Package: "linux-source-6.1", Series: "6.1", Config: []string{"a"}}}
	for name, tc := range map[string]struct {
		makes, config, want string
		change              func(*matrix.Cell)
	}{
		"works":                {makes, "CONFIG_PCI=y\n", "", nil},
		"an option is lost":    {makes + "\nsed -i /PCI/d $out/.config", "# why\nCONFIG_PCI=y\n", "did not take CONFIG_PCI=y", nil},
		"an option stays":      {makes + "\necho CONFIG_PCI=y >>$out/.config", "# CONFIG_PCI is not set\n", "did not take # CONFIG_PCI is not set", nil},
		"a line is misspelled": {makes, "# CONFIG_PCI isn't set\n", "cell twin, fragment a: line 1", nil},
		"no such fragment":     {makes, "", "no fragment b", func(c *matrix.Cell) { c.Kernel.Config = []string{"a", "b"} }},
		"make fails":           {"echo cannot compile x.c; exit 2", "", "cannot compile x.c", nil},
		"no kernel comes out":  {strings.Replace(makes, "vmlinux)", "never)", 1), "", "read the built kernel", nil},
		"another series":       {makes, "", "6.12", func(c *matrix.Cell) { c.Kernel.Series = "6.12" }},
		"the newest":           {makes, "", "", func(c *matrix.Cell) { c.Kernel.Package, c.Kernel.Series = "linux-source", "newest" }},
		"no newest":            {makes, "", "depends on no kernel's source", func(c *matrix.Cell) { c.Kernel.Suite, c.Kernel.Package = "trixie", "linux-source" }},
		"no source package":    {makes, "", "linux-source-6.1", func(c *matrix.Cell) { c.Kernel.Package = "linux-image-6.1" }},
		"an empty package":     {makes, "", "holds no linux-source", func(c *matrix.Cell) { c.Kernel.Package, c.Kernel.Series = "linux-source-6.2", "6.2" }},
	} {
		t.Run(name, func(t *testing.T) {
			tools(t, tc.makes)
			c, err := cache.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			r := NewResolver(sourceShelf(t), c, Lock{}, false, progress.Discard)
			r.Config = fragments(map[string]string{"a": tc.config})
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

// fragments returns the fragments of a resolver.
func fragments(texts map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		text, ok := texts[name]
		if !ok {
			return nil, fmt.Errorf("no fragment %s", name)
		}
		return []byte(text), nil
	}
}

func TestCellsWithTheirOwnConfigurationsHaveKernelsOfTheirOwn(t *testing.T) {
	host, err := arch.Lookup(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	vmlinux := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(vmlinux, tinyELF(t, host.ELF, binary.LittleEndian), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VMLINUX", vmlinux)
	// kbuild must be told the name that it knows, and this host's own compiler.
	tools(t, `case "$*" in *" ARCH=`+host.Kbuild+` CROSS_COMPILE= CC=/"*/gcc*) ;; *) echo "told $*"; exit 2;; esac
`+strings.Replace(makes, `cp "$KCONFIG_ALLCONFIG"`, `tac "$KCONFIG_ALLCONFIG" | sort -t= -k1,1 -u | grep = >`, 1))
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := NewResolver(sourceShelf(t), c, Lock{}, false, progress.Discard)
	r.Config = fragments(map[string]string{"full": "CONFIG_HZ=100\n\n# why\nCONFIG_SMP=y\n", "lean": "# CONFIG_PID_NS is not set\n", "fast": "CONFIG_HZ=1000\n"})
	paths := map[string]bool{}
	for _, config := range [][]string{{"full"}, {"full", "lean"}, {"full", "fast"}} {
		image, err := r.Image(t.Context(), matrix.Cell{Name: "lean", Arch: host.GOARCH, Kernel: matrix.Kernel{
			From: matrix.Source, Suite: "bookworm", Package: "linux-source-6.1", Series: "6.1", Config: config}})
		if err != nil {
			t.Fatal(err)
		}
		if image.Provenance.Compiler != "gcc 14.2.0" {
			t.Errorf("compiled by %q", image.Provenance.Compiler)
		}
		paths[image.Path] = true
	}
	if len(paths) != 3 {
		t.Errorf("the kernels of three configurations are %v", paths)
	}
}

func TestTheLaterFragmentDecidesWhatAConfigurationMustHave(t *testing.T) {
	const fragment = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_N=1\n# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_N=2\n"
	for conf, want := range map[string]string{
		"CONFIG_B=y\nCONFIG_N=2\n":                        "",
		"# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_N=2\n": "",
		"CONFIG_A=y\nCONFIG_B=y\nCONFIG_N=2\n":            "# CONFIG_A is not set",
		"# CONFIG_B is not set\nCONFIG_N=2\n":             "CONFIG_B=y",
		"CONFIG_B=y\nCONFIG_N=1\n":                        "CONFIG_N=2",
		"CONFIG_A=m\nCONFIG_BB=y\n":                       "# CONFIG_A is not set, CONFIG_B=y, CONFIG_N=2",
	} {
		if got := strings.Join(untaken([]byte(fragment), []byte(conf)), ", "); got != want {
			t.Errorf("of %q was lost %q, want %q", conf, got, want)
		}
	}
}

func TestEveryConfigurationIsUsedAndCanBeRead(t *testing.T) {
	cells, err := matrix.Load(os.DirFS("../../../fixtures"))
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, c := range cells {
		for _, name := range c.Kernel.Config {
			used[name+".config"] = true
		}
	}
	files, err := filepath.Glob("../../../fixtures/*.config")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			err = checkFragment(text)
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if !used[filepath.Base(file)] {
			t.Errorf("no cell uses %s", file)
		}
		delete(used, filepath.Base(file))
	}
	for name := range used {
		t.Errorf("a cell names %s, which is not in fixtures", name)
	}
}

func FuzzFragment(f *testing.F) {
	f.Add([]byte("# why\nCONFIG_A=y\n# CONFIG_A is not set\n"), []byte("CONFIG_A=y\n"))
	f.Fuzz(func(t *testing.T, fragment, conf []byte) {
		if checkFragment(fragment) != nil {
			return
		}
		// Whatever a configuration said before, it obeys the fragment that follows.
		if lost := untaken(fragment, slices.Concat(conf, []byte("\n"), fragment)); len(lost) > 0 {
			t.Errorf("%q was lost of %q", lost, fragment)
		}
	})
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
