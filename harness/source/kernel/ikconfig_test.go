package kernel

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/decompress"
)

const tinyConfig = "#\n# Linux/sw_64 6.6.0 Kernel Configuration\n#\nCONFIG_VIRTIO_BLK=m\n"

// TestTheConfigurationInAKernelIsRead fails if a vmlinux that holds its configuration is
// reported as one without, or if other bytes are taken for one.
func TestTheConfigurationInAKernelIsRead(t *testing.T) {
	stream := squeeze(t, decompress.Gzip, []byte(tinyConfig))
	held := slices.Concat([]byte(ikconfigStart), stream, []byte("IKCFG_ED"))
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"held":             {held, tinyConfig},
		"after the marker": {slices.Concat([]byte(ikconfigStart+"\x00text"), held), tinyConfig},
		"none":             {[]byte("text"), ""},
		"cut":              {held[:len(held)-20], ""},
		"another text":     {slices.Concat([]byte(ikconfigStart), squeeze(t, decompress.Gzip, []byte("text"))), ""},
		"a bomb":           {slices.Concat([]byte(ikconfigStart), bomb(t)), ""},
	} {
		if got := string(ikconfig(c.data)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// bomb is a stream of more zeroes than a configuration may have.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(append([]byte("\nCONFIG_A=y\n"), make([]byte, maxConfig)...)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestASuppliedVmlinuxKeepsItsConfiguration fails if the configuration is found and not kept
// with the image.
func TestASuppliedVmlinuxKeepsItsConfiguration(t *testing.T) {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := NewResolver(newShelf(t), c, Lock{}, false, progress.Discard)
	rec, err := arch.Lookup("sw64")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "vmlinux")
	kernel := tinyELF(t, elf.Machine(rec.ELF), binary.LittleEndian)
	kernel = slices.Concat(kernel, []byte(ikconfigStart), squeeze(t, decompress.Gzip, []byte(tinyConfig)))
	if err := os.WriteFile(path, kernel, 0o644); err != nil {
		t.Fatal(err)
	}
	image, err := r.supplied(t.Context(), path, rec)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(image.Config); err != nil || string(text) != tinyConfig {
		t.Errorf("%q, %v", text, err)
	}
}

func FuzzIkconfig(f *testing.F) {
	f.Add([]byte(ikconfigStart + "\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := ikconfig(data); len(got) > maxConfig {
			t.Errorf("%d bytes", len(got))
		}
	})
}
