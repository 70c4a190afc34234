package kernel

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/decompress"
)

// imageName is the package of every version: the synthetic kernel has one release.
const imageName = "linux-image-6.1.0-50-test"

// version puts a version of a kernel on a shelf, in place of another.
func version(t *testing.T, s *shelf, number string) debian.Package {
	t.Helper()
	s.add("trixie", "amd64", "linux-image-amd64", number, imageName+" (= 1)")
	s.add("trixie", "amd64", imageName, number, "",
		entry{"boot/config-6.1.0-50-test", []byte("CONFIG_X86=y\n# " + number + "\n")},
		entry{"boot/vmlinuz-6.1.0-50-test", tinyBzImage(squeeze(t, decompress.Gzip, tinyELF(t, elf.EM_X86_64, binary.LittleEndian)))})
	return s.packages["trixie amd64 "+imageName]
}

// TestAnArchiveThatMovesIsFollowed: the index names a package that the mirror does not have.
func TestAnArchiveThatMovesIsFollowed(t *testing.T) {
	for name, c := range map[string]struct {
		previous, locked, onlyLocked, second bool
		dropped                              []string // besides the present version
		want                                 string   // the version
		why                                  string
	}{
		"the index before has one":       {previous: true, locked: true, want: "6.1.2", why: "the version of the index before this one"},
		"nothing was seen before":        {locked: true, want: "6.1.1", why: "the version of kernels.lock"},
		"the one before is gone as well": {previous: true, locked: true, dropped: []string{"6.1.2"}, want: "6.1.1", why: "the version of kernels.lock"},
		"only another mirror has it":     {second: true, want: "6.1.3", why: "from MAPSTACK_SNAPSHOT: the version that was asked for"},
		"months later":                   {locked: true, onlyLocked: true, second: true, dropped: []string{"6.1.1"}, want: "6.1.1", why: "from MAPSTACK_SNAPSHOT"},
		"months later, and nothing":      {locked: true, onlyLocked: true, dropped: []string{"6.1.1"}, why: "MAPSTACK_SNAPSHOT names no mirror"},
		"nothing anywhere":               {why: "kernels.lock: it has no such kernel"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.second = c.second
			var lock Lock
			versions := map[string]debian.Package{"6.1.1": version(t, s, "6.1.1")}
			cell := cellOf("trixie", "amd64", "linux-image-amd64", "6.1")
			if c.locked {
				pin, err := resolve(t.Context(), s, "trixie", "amd64", "linux-image-amd64")
				if err != nil {
					t.Fatal(err)
				}
				lock = LockOf([]Pin{pin})
			}
			versions["6.1.2"] = version(t, s, "6.1.2")
			if c.previous {
				s.before = newShelf(t)
				for name, p := range s.packages {
					s.before.packages[name] = p
				}
			}
			versions["6.1.3"] = version(t, s, "6.1.3")
			s.dropped = map[string]bool{}
			for _, release := range append(c.dropped, "6.1.3") {
				s.dropped[versions[release].SHA256] = true
			}
			var w warnings
			r := NewResolver(s, openCache(t), lock, c.onlyLocked, w.sink)
			image, err := r.Image(t.Context(), cell)
			if c.want == "" {
				if err == nil || !strings.Contains(err.Error(), c.why) || !errors.Is(err, debian.ErrGone) {
					t.Errorf("%v, want %q", err, c.why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if image.Provenance.Version != c.want || !strings.Contains(image.Provenance.Warning, c.why) || len(w.text) == 0 {
				t.Errorf("version %s, %q, warnings %q; want %s, %q", image.Provenance.Version, image.Provenance.Warning, w.text, c.want, c.why)
			}
			// What is locked must be what can be had.
			if pin, err := r.Resolve(t.Context(), cell); err != nil || pin.Image.Version != c.want {
				t.Errorf("resolved to %s, %v", pin.Image.Version, err)
			}
		})
	}
}
