package toolbox

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
)

func TestOnlyWhatQEMUNeedsIsUnpacked(t *testing.T) {
	for name, want := range map[string]bool{
		"usr/bin/qemu-system-x86_64":                               true,
		"usr/bin/qemu-pr-helper":                                   false,
		"usr/lib/x86_64-linux-gnu/libc.so.6":                       true,
		"usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2":            true,
		"usr/lib/aarch64-linux-gnu/libz.so.1.3.1":                  true,
		"lib/x86_64-linux-gnu/libfuse3.so.4":                       true,
		"usr/lib64/ld-linux-x86-64.so.2":                           true,
		"lib/ld-linux-aarch64.so.1":                                true,
		"usr/lib/x86_64-linux-gnu/gconv/UTF-16.so":                 false,
		"usr/lib/x86_64-linux-gnu/qemu/ui-curses.so":               false,
		"usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so":          false,
		"usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin": true,
		"usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin":    true,
		"usr/share/qemu/keymaps/de":                                false,
		"usr/share/seabios/bios-256k.bin":                          true,
		"usr/share/doc/libc6/changelog.gz":                         false,
		"usr/share/locale/de/x.so.mo":                              false,
		"etc/ld.so.conf.d/x86_64-linux-gnu.conf":                   false,
	} {
		if got := wanted(name); got != want {
			t.Errorf("wanted(%q) is %v", name, got)
		}
	}
}

// shelf is a cache that already holds the packages of an offline machine.
type shelf struct {
	t     *testing.T
	cache *cache.Cache
}

func (s shelf) put(name string, files map[string]string) debian.Package {
	s.t.Helper()
	data := makeDeb(s.t, files)
	h := sha256.Sum256(data)
	p := debian.Package{Suite: suite, Name: name, Version: "1", Filename: "pool/" + name, Size: int64(len(data)), SHA256: hex.EncodeToString(h[:])}
	_, err := s.cache.Blob(s.t.Context(), p.SHA256, p.Size, func(_ context.Context, w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// makeDeb builds a package. A content that begins with "-> " makes a symbolic link.
func makeDeb(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for name, content := range files {
		hdr := &tar.Header{Name: "./" + name, Mode: 0o755, Size: int64(len(content))}
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			hdr.Typeflag, hdr.Linkname, hdr.Size, content = tar.TypeSymlink, target, 0, ""
		}
		if err := w.WriteHeader(hdr); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out := []byte("!<arch>\n")
	for name, b := range map[string][]byte{"data.tar": data.Bytes()} {
		out = fmt.Appendf(out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", len(b))
		out = append(out, b...)
	}
	return out
}

func offline(t *testing.T) (*Toolbox, shelf) {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return New(debian.NewClient(c, debian.Mirror{}, nil, progress.Discard), c, progress.Discard), shelf{t, c}
}

func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestPackagesAreJoinedIntoOneTree(t *testing.T) {
	box, shelf := offline(t)
	rec := record(t, "loong64")
	packages := []debian.Package{
		shelf.put(rec.Package, map[string]string{
			"usr/bin/qemu-system-loongarch64": "loong", "usr/bin/qemu-system-alpha": "alpha", "usr/share/doc/x": "doc",
		}),
		shelf.put("libc6", map[string]string{
			"usr/lib/x86_64-linux-gnu/libc.so.6": "libc", "lib64/ld-linux-x86-64.so.2": "-> ../usr/lib/x86_64-linux-gnu/ld.so",
			"usr/lib/x86_64-linux-gnu/ld.so": "loader",
		}),
		shelf.put("qemu-system-data", map[string]string{"usr/share/qemu/efi.bin": "firmware"}),
	}
	dir := t.TempDir()
	if err := box.assemble(t.Context(), rec, packages, dir); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"usr/bin/qemu-system-loongarch64", "usr/lib/x86_64-linux-gnu/ld.so", "usr/lib/x86_64-linux-gnu/libc.so.6",
		"usr/lib64/ld-linux-x86-64.so.2", "usr/share/qemu/efi.bin",
	}
	if got := filesBelow(t, dir); !reflect.DeepEqual(got, want) {
		t.Errorf("the tree holds %q, want %q", got, want)
	}
}

func TestTwoPackagesWithOneFileAreAnError(t *testing.T) {
	box, shelf := offline(t)
	rec := record(t, "amd64")
	packages := []debian.Package{
		shelf.put("a", map[string]string{"lib/x86_64-linux-gnu/libx.so.1": "one"}),
		shelf.put("b", map[string]string{"usr/lib/x86_64-linux-gnu/libx.so.1": "two"}),
	}
	err := box.assemble(t.Context(), rec, packages, t.TempDir())
	if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "package b") {
		t.Errorf("error is %v, want that package b brings a file that exists", err)
	}
}

func TestLoaderIsFoundInsideTheTree(t *testing.T) {
	for name, links := range map[string]map[string]string{
		"relative link": {"usr/lib64/ld.so.2": "../lib/x/ld.so.2"},
		"absolute link": {"usr/lib64/ld.so.2": "/lib/x/ld.so.2"},
		"chain":         {"usr/lib64/ld.so.2": "../lib/ld.so.2", "usr/lib/ld.so.2": "x/ld.so.2"},
		"climbing link": {"usr/lib64/ld.so.2": "../../../../../../usr/lib/x/ld.so.2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, d := range []string{"usr/lib/x", "usr/lib64"} {
				if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "usr/lib/x/ld.so.2"), nil, 0o755); err != nil {
				t.Fatal(err)
			}
			for at, target := range links {
				if err := os.Symlink(target, filepath.Join(dir, at)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := resolveIn(dir, merged("lib64/ld.so.2"))
			if err != nil || got != "usr/lib/x/ld.so.2" {
				t.Errorf("the loader is %q, %v; want usr/lib/x/ld.so.2", got, err)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Symlink("self", filepath.Join(dir, "self")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"self", "absent"} {
		if got, err := resolveIn(dir, name); err == nil {
			t.Errorf("%s was resolved to %q", name, got)
		}
	}
}

func TestBuildChangesWithEveryPackage(t *testing.T) {
	rec := record(t, "loong64")
	packages := []debian.Package{{Name: "a", SHA256: "1"}, {Name: "b", SHA256: "2"}}
	first := buildOf(rec, packages)
	if again := buildOf(rec, packages); again != first {
		t.Error("the same packages make two builds")
	}
	if other := buildOf(rec, []debian.Package{{Name: "a", SHA256: "1"}, {Name: "b", SHA256: "3"}}); other == first {
		t.Error("another library makes the same build")
	}
	if other := buildOf(record(t, "amd64"), packages); other == first {
		t.Error("another binary makes the same build")
	}
}

// TestAnEarlierIndexIsUsedWithAWarningOrSaysWhy: what an earlier index says is verified by
// package debian.
func TestAnEarlierIndexIsUsedWithAWarningOrSaysWhy(t *testing.T) {
	box, _ := offline(t)
	var warned []string
	box.sink = func(e progress.Event) {
		if e.Stage == progress.Warning {
			warned = append(warned, e.What)
		}
	}
	unreachable := fmt.Errorf("download: %w", debian.ErrUnreachable)
	for _, index := range []indexer{box.client.Kept, box.client.Previous} {
		if _, err := box.earlier(t.Context(), record(t, "amd64"), index, unreachable); !errors.Is(err, debian.ErrUnreachable) || !strings.Contains(err.Error(), "an earlier index cannot be used either") {
			t.Errorf("without an earlier index the error is %v", err)
		}
	}
	if len(warned) > 0 {
		t.Errorf("warnings are %q", warned)
	}
}

func TestMissingQEMUSaysAllWaysToGetOne(t *testing.T) {
	box, _ := offline(t)
	inPath(t, "")
	_, err := box.Find(t.Context(), record(t, "amd64"))
	for _, part := range []string{"amd64", "not in PATH", "MAPSTACK_MIRROR", "install qemu-system-x86_64 10.0"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v does not say %q", err, part)
		}
	}
}

func TestConcurrentCallersSearchOnce(t *testing.T) {
	box, _ := offline(t)
	count := filepath.Join(t.TempDir(), "count")
	inPath(t, `case "$*" in --version) echo x >> "`+count+`";; esac; echo "QEMU emulator version 10.1.0"`)
	errs := make(chan error)
	for range 8 {
		go func() {
			_, err := box.Find(t.Context(), record(t, "amd64"))
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(count); err != nil || len(b) != 2 {
		t.Errorf("QEMU was run %d times, %v; want once", len(b)/2, err)
	}
}

func TestStaticBinaryIsRefused(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "qemu")
	if err := os.WriteFile(exe, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := interpreter(exe); err == nil {
		t.Error("a script was taken for an executable with a loader")
	}
}
