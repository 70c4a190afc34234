package kernel

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
)

func TestTheFlavourOfAKernelIsKnownByItsName(t *testing.T) {
	for name, want := range map[string]string{
		"linux-image-amd64": "amd64", "linux-image-5kc-malta": "5kc-malta", "linux-image-arm64-16k": "arm64-16k",
		"linux-image-6.1.0-50-amd64": "amd64", "linux-image-6.1.0-50-5kc-malta": "5kc-malta", "linux-image-6.16.12+deb13-cloud-amd64": "cloud-amd64",
		"linux-image-6.1.0-0.deb11.21-rt-amd64": "rt-amd64", "linux-image-7.1-amd64": "amd64",
	} {
		if got := flavourOf(name); got != want {
			t.Errorf("%s is of %q, want %q", name, got, want)
		}
	}
	for release, want := range map[string]bool{
		"6.1.0-50-amd64": true, "6.16.12+deb13-amd64": true, "6.1.0-0.deb11.21-amd64": true, "7.1-amd64": true,
		"6.1.0-50-cloud-amd64": false, "6.12.9+bpo-rt-amd64": false, "6.1.0-50-arm64": false, "-amd64": false, "amd64": false,
	} {
		if got := ofFlavour(release, "amd64"); got != want {
			t.Errorf("%s: %t", release, got)
		}
	}
}

// TestTheKernelsOfAFlavourAreListedByVersion fails if a search would test a kernel of another
// flavour, test one twice, or go through them in another order than dpkg's.
func TestTheKernelsOfAFlavourAreListedByVersion(t *testing.T) {
	s := newShelf(t)
	file := entry{"boot/config", []byte("a config")}
	for _, p := range []struct{ suite, release, version string }{
		{"bookworm", "6.1.0-50-amd64", "6.1.176-1"}, {"bookworm", "6.1.0-49-amd64", "6.1.174-1"}, {"bookworm", "6.1.0-50-cloud-amd64", "6.1.176-1"},
		{"bookworm", "6.1.0-50-amd64-unsigned", "6.1.176-1"}, {"trixie", "6.12.9+deb13-amd64", "6.12.9-1"},
		{"bookworm-backports", "6.12.9+deb12-amd64", "6.12.9-1~bpo12+1"}, {"trixie", "6.9.7-amd64", "6.9.7-1"}, {"gone", "9.9-amd64", "9.9-1"},
	} {
		s.add(p.suite, "amd64", "linux-image-"+p.release, p.version, "", file, entry{"boot/name", []byte(p.release)})
	}
	s.add("trixie", "amd64", "linux-image-amd64", "6.12.9-1", "linux-image-6.12.9+deb13-amd64")
	s.add("forky", "amd64", "linux-image-6.1.0-49-amd64", "6.1.174-1", "", file, entry{"boot/name", []byte("6.1.0-49-amd64")}) // the same file
	s.add("forky", "amd64", "linux-image-7.1-amd64", "7.1-1", "linux-base-7.1-amd64 (= 7.1-1), linux-binary-7.1-amd64 (= 7.1-1)", file)
	s.add("forky", "amd64", "linux-binary-7.1-amd64", "7.1-1", "", file, entry{"boot/name", []byte("7.1")})
	s.add("forky", "amd64", "linux-image-7.2-amd64", "7.2-1", "linux-base-7.2-amd64 (= 7.2-1), linux-binary-7.2-amd64 (= 7.2-1)", file)
	s.lost = "gone"
	var w warnings
	suites := []string{"bookworm", "bookworm-backports", "trixie", "forky", "gone"}
	cell := cellOf("trixie", "amd64", "linux-image-amd64", "6.12")
	names := func(r *Resolver) (all []string) {
		pins, err := r.Flavour(t.Context(), cell, suites)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pins {
			all = append(all, p.Suite+" "+p.Release)
		}
		return all
	}
	r := NewResolver(s, openCache(t), Lock{}, false, w.sink)
	want := []string{"bookworm 6.1.0-49-amd64", "bookworm 6.1.0-50-amd64", "trixie 6.9.7-amd64", "bookworm-backports 6.12.9+deb12-amd64", "trixie 6.12.9+deb13-amd64", "forky 7.1-amd64"}
	if got := names(r); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if len(w.text) != 3 || !strings.Contains(w.text[0], "does not have the suite gone") ||
		!strings.HasSuffix(w.text[1], "which need one are not decided on them: 7.1-amd64") || !strings.HasSuffix(w.text[2], "left out: linux-binary-7.2-amd64") {
		t.Errorf("warnings %q", w.text)
	}
	pinned, err := resolve(t.Context(), s, "trixie", "amd64", "linux-image-amd64")
	if err != nil {
		t.Fatal(err)
	}
	locked := NewResolver(s, openCache(t), LockOf([]Pin{pinned}), true, progress.Discard)
	if got := names(locked); !slices.Equal(got, []string{"trixie 6.12.9+deb13-amd64"}) {
		t.Errorf("locked: %q", got)
	}
	suites = []string{"bookworm-backports"}
	if _, err := locked.Flavour(t.Context(), cell, suites); err == nil || !strings.Contains(err.Error(), `no kernel of the flavour "amd64"`) {
		t.Error(err)
	}
	cell.Kernel.From = matrix.Source
	if _, err := r.Flavour(t.Context(), cell, suites); err == nil || !strings.Contains(err.Error(), "is no package of an archive") {
		t.Error(err)
	}
}

// TestAKernelOfTwoPackagesKeepsItsConfiguration fails if what stands in linux-base-* is lost.
func TestAKernelOfTwoPackagesKeepsItsConfiguration(t *testing.T) {
	s := newShelf(t)
	forky(t, s)
	bookworm(t, s)
	r := NewResolver(s, openCache(t), Lock{}, false, progress.Discard)
	for _, tc := range []struct{ suite, arch, asked, config string }{
		{"forky", "loong64", "linux-image-loong64", "CONFIG_LOONGARCH=y\n"},
		{"bookworm", "amd64", "linux-image-amd64", ""}, // the package of the kernel has it
	} {
		pin, err := resolve(t.Context(), s, tc.suite, tc.arch, tc.asked)
		if err != nil {
			t.Fatal(err)
		}
		file, config, err := r.Packed(t.Context(), pin)
		if err != nil || string(config) != tc.config {
			t.Errorf("%s: %q, %v", tc.suite, config, err)
		}
		if deb, err := os.ReadFile(file); err != nil || sum(deb) != pin.Image.SHA256 {
			t.Errorf("%s: %v", tc.suite, err)
		}
		s.dropped = map[string]bool{pin.Image.SHA256: true}
		if _, _, err := r.Packed(t.Context(), pin); err == nil || !strings.Contains(err.Error(), "names no mirror") {
			t.Errorf("%s: a package that is gone: %v", tc.suite, err)
		}
		s.second = true
		if _, _, err := r.Packed(t.Context(), pin); err != nil {
			t.Errorf("%s: the second mirror has it: %v", tc.suite, err)
		}
		s.second = false
	}
}
