package kernel

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/decompress"
)

// entry is one file of a synthetic package.
type entry struct {
	name string
	data []byte
}

// shelf is an archive of synthetic packages.
type shelf struct {
	t        testing.TB
	dir      string
	packages map[string]debian.Package // by suite, architecture and name
	fetched  atomic.Int32
	gone     bool            // the mirror has dropped every package
	dropped  map[string]bool // the mirror has dropped these packages, by SHA-256
	lost     string          // the mirror does not have this suite
	before   *shelf          // with the index before this one; nil for none
	second   bool            // there is a mirror that keeps everything
}

func newShelf(t testing.TB) *shelf {
	return &shelf{t: t, dir: t.TempDir(), packages: map[string]debian.Package{}}
}

func (s *shelf) add(suite, arch, name, version, depends string, files ...entry) {
	s.t.Helper()
	deb := debOf(s.t, files)
	p := debian.Package{Suite: suite, Name: name, Version: version, Arch: arch, Depends: depends,
		Filename: "pool/" + name + "_" + version + ".deb", Size: int64(len(deb)), SHA256: sum(deb)}
	if err := os.WriteFile(filepath.Join(s.dir, p.SHA256), deb, 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.packages[suite+" "+arch+" "+name] = p
}

func (s *shelf) Find(_ context.Context, suite, arch, name string) (debian.Package, error) {
	p, ok := s.packages[suite+" "+arch+" "+name]
	if !ok {
		return debian.Package{}, &debian.NotListedError{Suite: suite, Arch: arch, Name: name}
	}
	return p, nil
}

func (s *shelf) Images(_ context.Context, suite, arch string) (names []string, err error) {
	if s.lost == suite {
		return nil, debian.ErrGone
	}
	for key, p := range s.packages {
		if strings.HasPrefix(key, suite+" "+arch+" linux-image-") {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (s *shelf) Fetch(_ context.Context, p debian.Package) (string, error) {
	s.fetched.Add(1)
	path := filepath.Join(s.dir, p.SHA256)
	if _, err := os.Stat(path); s.gone || s.dropped[p.SHA256] || err != nil {
		return "", debian.ErrGone
	}
	return path, nil
}

func (s *shelf) FetchSecond(_ context.Context, p debian.Package) (string, error) {
	if !s.second {
		return "", debian.ErrNoSecond
	}
	return filepath.Join(s.dir, p.SHA256), nil
}

func (s *shelf) Previous() Archive {
	if s.before == nil {
		return newShelf(s.t)
	}
	return s.before
}

// debOf is a .deb whose data archive holds files.
func debOf(t testing.TB, files []entry) []byte {
	t.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: "./" + f.name, Mode: 0o644, Size: int64(len(f.data)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	ar := bytes.NewBufferString("!<arch>\n")
	for _, m := range []entry{{"debian-binary", []byte("2.0\n")}, {"data.tar", data.Bytes()}} {
		fmt.Fprintf(ar, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", m.name, 0, 0, 0, 0o100644, len(m.data))
		ar.Write(m.data)
		if len(m.data)%2 == 1 {
			ar.WriteByte('\n')
		}
	}
	return ar.Bytes()
}

func bookworm(t testing.TB, s *shelf) {
	vmlinux := tinyELF(t, elf.EM_X86_64, binary.LittleEndian)
	s.add("bookworm", "amd64", "linux-image-amd64", "6.1.176-1", "linux-image-6.1.0-50-test (= 6.1.176-1)")
	s.add("bookworm", "amd64", "linux-image-5kc-malta", "6.1.176-1", "linux-image-6.1.0-50-test (= 6.1.176-1)")
	s.add("bookworm", "amd64", "linux-image-6.1.0-50-test", "6.1.176-1", "kmod, linux-base (>= 4.3~), initramfs-tools | linux-initramfs-tool",
		entry{"boot/System.map-6.1.0-50-test", []byte("a stub")},
		entry{"boot/config-6.1.0-50-test", []byte("CONFIG_X86=y\n")},
		entry{"boot/vmlinuz-6.1.0-50-test", tinyBzImage(squeeze(t, decompress.Gzip, vmlinux))},
		entry{"lib/modules/6.1.0-50-test/kernel/x.ko", []byte("a module")})
}

func forky(t testing.TB, s *shelf) {
	const rel = "6.1.0-50-test"
	s.add("forky", "loong64", "linux-image-loong64", "7", "linux-base-loong64 (= 7), linux-image-"+rel+" (= 7), linux-modules-loong64")
	s.add("forky", "loong64", "linux-image-"+rel, "7", "linux-base (>= 4.17~), linux-base-"+rel+" (= 7), linux-binary-"+rel+" (= 7), linux-modules-"+rel)
	s.add("forky", "loong64", "linux-binary-"+rel, "7", "",
		entry{"usr/lib/modules/" + rel + "/vmlinuz", tinyZboot("zstd", squeeze(t, decompress.Zstd, loong64Image()), len(loong64Image()))})
	s.add("forky", "loong64", "linux-base-"+rel, "7", "",
		entry{"usr/lib/modules/" + rel + "/config", []byte("CONFIG_LOONGARCH=y\n")})
}

func cellOf(suite, arch, asked, series string) matrix.Cell {
	return matrix.Cell{Name: "cell", Arch: arch, Kernel: matrix.Kernel{Suite: suite, Package: asked, Series: series}}
}

func openCache(t testing.TB) *cache.Cache {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// warnings collects the warnings of a resolver.
type warnings struct {
	mu   sync.Mutex
	text []string
}

func (w *warnings) sink(e progress.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Stage == progress.Warning {
		w.text = append(w.text, e.What)
	}
}

func TestAMetapackageLeadsToABootableImage(t *testing.T) {
	s := newShelf(t)
	bookworm(t, s)
	forky(t, s)
	r := NewResolver(s, openCache(t), Lock{}, false, progress.Discard)
	for _, c := range []struct {
		cell        matrix.Cell
		holder      string
		configFrom  string
		plain, conf string
	}{
		{cellOf("bookworm", "amd64", "linux-image-amd64", "6.1"), "linux-image-6.1.0-50-test", "",
			string(tinyELF(t, elf.EM_X86_64, binary.LittleEndian)), "CONFIG_X86=y\n"},
		{cellOf("bookworm", "amd64", "linux-image-6.1.0-50-test", "newest"), "linux-image-6.1.0-50-test", "",
			string(tinyELF(t, elf.EM_X86_64, binary.LittleEndian)), "CONFIG_X86=y\n"},
		// A metapackage whose flavour begins with a digit is no kernel release.
		{cellOf("bookworm", "amd64", "linux-image-5kc-malta", "6.1"), "linux-image-6.1.0-50-test", "",
			string(tinyELF(t, elf.EM_X86_64, binary.LittleEndian)), "CONFIG_X86=y\n"},
		{cellOf("forky", "loong64", "linux-image-loong64", "newest"), "linux-binary-6.1.0-50-test", "linux-base-6.1.0-50-test",
			string(loong64Image()), "CONFIG_LOONGARCH=y\n"},
	} {
		i, err := r.Image(t.Context(), c.cell)
		if err != nil {
			t.Errorf("%s: %v", c.cell.Kernel.Package, err)
			continue
		}
		plain, err := os.ReadFile(i.Path)
		if err != nil || string(plain) != c.plain || i.ImageSHA256 != sum(plain) {
			t.Errorf("%s: image of %d bytes, %v", c.cell.Kernel.Package, len(plain), err)
		}
		conf, err := os.ReadFile(i.Config)
		if err != nil || string(conf) != c.conf || i.ConfigSHA256 != sum(conf) {
			t.Errorf("%s: config %q, %v", c.cell.Kernel.Package, conf, err)
		}
		p := i.Provenance
		if i.Release != "6.1.0-50-test" || p.Package != c.holder || p.Asked != c.cell.Kernel.Package || p.Kind != "debian" || p.Locked {
			t.Errorf("%s: release %s, provenance %+v", c.cell.Kernel.Package, i.Release, p)
		}
		if from := p.Config; (from == nil) != (c.configFrom == "") || from != nil && from.Package != c.configFrom {
			t.Errorf("%s: config from %+v, want %q", c.cell.Kernel.Package, from, c.configFrom)
		}
	}
}

// TestOnlyItsBzImageSwitchesToFiveLevels fails if a machine with five levels of page tables
// gets the plain kernel, or if a cell without them gets the image of one that has them.
func TestOnlyItsBzImageSwitchesToFiveLevels(t *testing.T) {
	s := newShelf(t)
	bookworm(t, s)
	r := NewResolver(s, openCache(t), Lock{}, false, progress.Discard)
	vmlinux := tinyELF(t, elf.EM_X86_64, binary.LittleEndian)
	for _, c := range []struct {
		machine string
		format  Format
		want    []byte
	}{{"la57", BzImage, tinyBzImage(squeeze(t, decompress.Gzip, vmlinux))}, {"", ELF, vmlinux}} {
		cell := cellOf("bookworm", "amd64", "linux-image-amd64", "6.1")
		cell.Machine = c.machine
		i, err := r.Image(t.Context(), cell)
		if err != nil {
			t.Fatalf("machine %q: %v", c.machine, err)
		}
		got, err := os.ReadFile(i.Path)
		if err != nil || !bytes.Equal(got, c.want) || i.Format != c.format || i.Release != "6.1.0-50-test" {
			t.Errorf("machine %q: %d bytes of %s, release %s, %v", c.machine, len(got), i.Format, i.Release, err)
		}
	}
}

func TestAKernelOfSeveralCellsIsFetchedOnce(t *testing.T) {
	s := newShelf(t)
	bookworm(t, s)
	r := NewResolver(s, openCache(t), Lock{}, false, progress.Discard)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := r.Image(t.Context(), cellOf("bookworm", "amd64", "linux-image-amd64", "6.1")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := s.fetched.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestAnImageFromAnotherArchitectureNeverReachesTheCache(t *testing.T) {
	s := newShelf(t)
	s.add("bookworm", "arm64", "linux-image-6.1.0-50-test", "1", "",
		entry{"boot/vmlinuz-6.1.0-50-test", riscv64Image()}, entry{"boot/config-6.1.0-50-test", nil})
	r := NewResolver(s, openCache(t), Lock{}, false, progress.Discard)
	for range 2 {
		_, err := r.Image(t.Context(), cellOf("bookworm", "arm64", "linux-image-6.1.0-50-test", "newest"))
		var wrong *WrongArchError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "cell") {
			t.Fatalf("got %v", err)
		}
	}
}

func TestAPackageThatIsNotWhatItSaysIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		fill   func(s *shelf)
		asked  string
		series string
		reason string
	}{
		"unknown package": {func(s *shelf) {}, "linux-image-nope", "6.1", `no package "linux-image-nope"`},
		"no kernel":       {func(s *shelf) { s.add("x", "amd64", "bash", "1", "libc6") }, "bash", "6.1", "depends on no linux-image package"},
		"a circle of metapackages": {func(s *shelf) {
			s.add("x", "amd64", "linux-image-a", "1", "linux-image-b")
			s.add("x", "amd64", "linux-image-b", "1", "linux-image-a")
		}, "linux-image-a", "6.1", "leads to no kernel image"},
		"dependency that is absent": {func(s *shelf) { s.add("x", "amd64", "linux-image-a", "1", "linux-image-6.1.0-1-a") }, "linux-image-a", "6.1", `no package "linux-image-6.1.0-1-a"`},
		"another series":            {func(s *shelf) { s.add("x", "amd64", "linux-image-6.12.1-a", "1", "") }, "linux-image-6.12.1-a", "6.1", "a 6.12 kernel, but the cell is about 6.1"},
		"no image inside":           {func(s *shelf) { s.add("x", "amd64", "linux-image-6.1.0-50-test", "1", "", entry{"boot/grub", nil}) }, "linux-image-6.1.0-50-test", "6.1", "has none of"},
		"image of another release": {func(s *shelf) {
			s.add("x", "amd64", "linux-image-6.1.0-51-test", "1", "", entry{"boot/vmlinuz-6.1.0-51-test", tinyELF(t, elf.EM_X86_64, binary.LittleEndian)})
		}, "linux-image-6.1.0-51-test", "6.1", "its kernel says it is 6.1.0-50-test"},
		"text for a kernel": {func(s *shelf) {
			s.add("x", "amd64", "linux-image-6.1.0-50-test", "1", "", entry{"boot/vmlinuz-6.1.0-50-test", []byte("sorry")})
		}, "linux-image-6.1.0-50-test", "6.1", "no kernel in a form known here"},
		"a configuration without bounds": {func(s *shelf) {
			s.add("x", "amd64", "linux-image-6.1.0-50-test", "1", "", entry{"boot/config-6.1.0-50-test", make([]byte, maxConfig+1)})
		}, "linux-image-6.1.0-50-test", "6.1", "more than the"},
	} {
		s := newShelf(t)
		c.fill(s)
		r := NewResolver(s, openCache(t), Lock{}, false, progress.Discard)
		_, err := r.Image(t.Context(), cellOf("x", "amd64", c.asked, c.series))
		if err == nil || !strings.Contains(err.Error(), c.reason) || !strings.Contains(err.Error(), "of cell cell") {
			t.Errorf("%s: %v; want it to name the cell and %q", name, err, c.reason)
		}
	}
}

func TestLockedAcceptsNothingButThePin(t *testing.T) {
	s := newShelf(t)
	bookworm(t, s)
	cell := cellOf("bookworm", "amd64", "linux-image-amd64", "6.1")
	c := openCache(t)
	old, err := NewResolver(s, c, Lock{}, false, progress.Discard).Resolve(t.Context(), cell)
	if err != nil {
		t.Fatal(err)
	}
	// The suite moves on.
	s.add("bookworm", "amd64", "linux-image-amd64", "6.1.177-1", "linux-image-6.1.0-51-test")
	s.add("bookworm", "amd64", "linux-image-6.1.0-51-test", "6.1.177-1", "")

	locked := NewResolver(s, c, Lock{}.With(old), true, progress.Discard)
	i, err := locked.Image(t.Context(), cell)
	if err != nil || i.Release != "6.1.0-50-test" || !i.Provenance.Locked || i.Provenance.SHA256 != old.Image.SHA256 {
		t.Fatalf("%v, %+v", err, i)
	}
	_, err = locked.Image(t.Context(), cellOf("bookworm", "arm64", "linux-image-arm64", "6.1"))
	if err == nil || !strings.Contains(err.Error(), "kernels.lock has no entry") || !strings.Contains(err.Error(), "fetch --update-lock") {
		t.Errorf("a kernel that is not in the lock: %v", err)
	}
	_, err = locked.Resolve(t.Context(), cellOf("bookworm", "amd64", "linux-image-amd64", "6.12"))
	if err == nil || !strings.Contains(err.Error(), "a 6.1 kernel, but the cell is about 6.12") {
		t.Errorf("a pin of another series: %v", err)
	}
	s.gone = true
	if _, err := locked.Image(t.Context(), cell); err != nil {
		t.Errorf("a pinned kernel that is in the cache needed the mirror: %v", err)
	}
	_, err = NewResolver(s, openCache(t), Lock{}.With(old), true, progress.Discard).Image(t.Context(), cell)
	if err == nil || !strings.Contains(err.Error(), "kernels.lock pins") || !strings.Contains(err.Error(), "fetch --update-lock") {
		t.Errorf("a pin the mirror has dropped: %v", err)
	}
}

func TestADifferenceFromTheLockIsAWarningOnce(t *testing.T) {
	s := newShelf(t)
	bookworm(t, s)
	cell := cellOf("bookworm", "amd64", "linux-image-amd64", "6.1")
	var w warnings
	old := pin("bookworm", "amd64", "linux-image-amd64")
	old.Image.Version = "6.1.100-1"
	r := NewResolver(s, openCache(t), Lock{}.With(old), false, w.sink)
	if _, err := r.Resolve(t.Context(), cell); err != nil {
		t.Fatal(err)
	}
	i, err := r.Image(t.Context(), cell)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.text) != 1 || !strings.Contains(w.text[0], "6.1.100-1") || i.Provenance.Warning != w.text[0] {
		t.Errorf("warnings %q, provenance %q", w.text, i.Provenance.Warning)
	}
	now, err := r.Resolve(t.Context(), cell)
	if err != nil {
		t.Fatal(err)
	}
	var quiet warnings
	if _, err := NewResolver(s, openCache(t), Lock{}.With(now), false, quiet.sink).Image(t.Context(), cell); err != nil || len(quiet.text) != 0 {
		t.Errorf("the pinned kernel itself: %v, warnings %q", err, quiet.text)
	}
}
