package subject

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/matrixfile"
	"github.com/mapstack/conformance/harness/matrix/osname"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// TestACellThatCannotBeBoundStopsNoOther fails if a missing or damaged image ends a run of
// several, or if the reason names the folders of this machine, which evidence must not.
func TestACellThatCannotBeBoundStopsNoOther(t *testing.T) {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bench := &workbench.Bench{Kernels: &kernel.Resolver{}, Cache: c}
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged")
	if err := os.WriteFile(damaged, []byte("no kernel at all"), 0o644); err != nil {
		t.Fatal(err)
	}
	cell := func(name, path string) matrixfile.Cell {
		return matrixfile.Cell{Name: name, Place: filepath.Join(dir, "mapstack.yaml:7"), Kernel: &matrixfile.Source{Path: path}}
	}
	uos, _ := osname.LookupSystem("uos-server-20")
	subjects := []Subject{Listed{cell("gone", filepath.Join(dir, "gone"))}, Listed{cell("broken", damaged)}, Unsupplied{System: uos}, Cell{matrix.Cell{Name: "built-in"}}}
	bound, err := Bind(t.Context(), bench, subjects)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name, says string
		missing    bool
	}{
		{"gone", "correct the entry at mapstack.yaml:7", true},
		{"broken", "the cell is at mapstack.yaml:7", false},
		{"uos-server-20", "UOS_SERVER_20_IMAGE=FILE", true},
	} {
		absent, ok := bound[i].Where.(run.Absent)
		if !ok || bound[i].Cell.Name != want.name {
			t.Fatalf("%+v", bound[i].Bound)
		}
		var f *failure.Failure
		if missing := errors.As(absent.Err, &f) && f.Kind == failure.Missing; missing != want.missing || !strings.Contains(absent.Err.Error(), want.says) || strings.Contains(absent.Err.Error(), dir) {
			t.Errorf("%s: %v", want.name, absent.Err)
		}
	}
	if _, ok := bound[3].Where.(run.Guests); !ok {
		t.Errorf("the cell of the built-in matrix is %+v", bound[3].Where)
	}
	if err := bound.Release(); err != nil {
		t.Error(err)
	}
}

// TestAStoppedRunHasACellForEachSubject fails if a run that is stopped while it binds has no
// report of what it did before.
func TestAStoppedRunHasACellForEachSubject(t *testing.T) {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(t.TempDir(), "gone")
	bound, err := Bind(ctx, &workbench.Bench{Kernels: &kernel.Resolver{}, Cache: c}, []Subject{Listed{matrixfile.Cell{Name: "a", Kernel: &matrixfile.Source{Path: path}}}})
	if err != nil {
		t.Fatal(err)
	}
	var f *failure.Failure
	if absent, ok := bound[0].Where.(run.Absent); !ok || !errors.As(absent.Err, &f) || f.Kind != failure.Interrupted {
		t.Errorf("%+v", bound[0])
	}
}

// TestWhatHoldsTheMachineIsBoundAlone fails if two systems that are booted whole would have
// their memory at the same time.
func TestWhatHoldsTheMachineIsBoundAlone(t *testing.T) {
	whole := func(name string) Subject { return Listed{matrixfile.Cell{Name: name, FullBoot: true}} }
	plain := func(name string) Subject { return Listed{matrixfile.Cell{Name: name}} }
	var shape []string
	for _, wave := range Waves([]Subject{whole("a"), plain("b"), Listed{matrixfile.Cell{Name: "c", Target: "native"}}, plain("d"), whole("e")}) {
		var names []string
		for _, s := range wave {
			names = append(names, s.(Listed).Name)
		}
		shape = append(shape, strings.Join(names, "+"))
	}
	if got := strings.Join(shape, " "); got != "b+d a c e" {
		t.Errorf("the waves are %s", got)
	}
}

func TestAKernelOfAnotherSeriesIsNotTheOneThatWasMeant(t *testing.T) {
	for series, fails := range map[string]bool{"": false, "5.10": false, "6.1": true, "5.1": true} {
		if err := (Own{Name: "a", Series: series}).expected("5.10.0-60.x86_64"); (err != nil) != fails {
			t.Errorf("series %q: %v", series, err)
		}
	}
	if err := (Own{Series: "5.10"}).expected("mine"); err != nil {
		t.Errorf("a kernel that does not say its release: %v", err)
	}
}

// TestARepositoryThatCannotBeReadNamesNoFolder fails if evidence would say where somebody keeps a
// repository, or if an apt repository is taken for a yum repository.
func TestARepositoryThatCannotBeReadNamesNoFolder(t *testing.T) {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "a folder", "debs")
	keyring := filepath.Join(filepath.Dir(dir), "vendor.gpg")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyring, []byte("no key"), 0o644); err != nil {
		t.Fatal(err)
	}
	bench := &workbench.Bench{Kernels: &kernel.Resolver{}, Cache: c, Sink: progress.Discard, Client: debian.NewClient(c, debian.Mirror{}, fstest.MapFS{}, progress.Discard), Getenv: func(string) string { return "" }}
	apt := matrixfile.Cell{Name: "apt", Place: "mapstack.yaml:2", Arch: "amd64", Repository: dir, Suite: "./", Package: "linux-image-*", SHA256: strings.Repeat("0", 64)}
	yum := matrixfile.Cell{Name: "yum", Place: "mapstack.yaml:2", Arch: "amd64", Repository: dir}
	keyed := apt
	keyed.Keyring = keyring
	for want, cell := range map[string]matrixfile.Cell{"download Packages": apt, "the keyring cannot be read": keyed, "it is no regular file": yum} {
		bound, err := Listed{cell}.Bind(t.Context(), bench)
		if err != nil {
			t.Fatal(err)
		}
		if absent, ok := bound.Where.(run.Absent); !ok || !strings.Contains(absent.Err.Error(), want) || strings.Contains(absent.Err.Error(), "folder/") {
			t.Errorf("%s: %+v", want, bound.Where)
		}
	}
}

// TestABundleAsksNoServer fails if a bundle is made that cannot run on a machine without a network.
func TestABundleAsksNoServer(t *testing.T) {
	for _, suite := range []string{"", "bookworm"} {
		cell := matrixfile.Cell{Name: "updates", Place: "mapstack.yaml:2", Repository: "https://example.org/repo", Suite: suite}
		if _, err := Pack(t.Context(), &workbench.Bench{}, []Listed{{cell}}); err == nil || !strings.Contains(err.Error(), "mapstack.yaml:2: cell updates has a repository on a server, which a bundle cannot ask; name a folder with a copy of it, or leave the cell out with --skip updates") {
			t.Errorf("%q: %v", suite, err)
		}
	}
}
