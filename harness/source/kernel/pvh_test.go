package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/source/decompress"
)

// TestAKernelThatQEMUCannotStartStaysABzImage fails if a kernel without a PVH entry, or with
// one for Xen alone, loses the format in which a boot loader starts it.
func TestAKernelThatQEMUCannotStartStaysABzImage(t *testing.T) {
	le := binary.LittleEndian
	const generic = "Error: Missing xen PVH initialization\n\x00"
	entry := pvhNote(le, "Xen", xenPhys32Entry)
	for _, c := range []struct {
		name   string
		notes  []byte
		text   string
		direct bool
	}{
		{"5.0 and later with CONFIG_PVH", entry, generic, true},
		{"with CONFIG_PVH and without CONFIG_XEN", entry, "", true},
		{"behind other notes", slices.Concat(pvhNote(le, "Linux", 15), pvhNote(le, "Xen", xenGuestOS), entry), generic, true},
		{"4.19 with CONFIG_XEN_PVH", slices.Concat(pvhNote(le, "Xen", xenGuestOS), entry), "", false},
		{"without CONFIG_PVH", pvhNote(le, "Linux", 15), "", false},
		{"another owner's note 18", pvhNote(le, "GNU", xenPhys32Entry), generic, false},
		{"no notes", nil, generic, false},
		{"a damaged note", entry[:len(entry)-8], generic, false},
	} {
		vmlinux := elfWith(t, elf.EM_X86_64, le, c.notes, c.text)
		file := tinyBzImage(sized(decompress.Gzip, squeeze(t, decompress.Gzip, vmlinux), len(vmlinux)))
		p, err := Unwrap(t.Context(), file, record(t, "amd64"))
		want, format, layers := file, BzImage, []string(nil)
		if c.direct {
			want, format, layers = vmlinux, ELF, []string{"bzImage", "gzip"}
		}
		if err != nil || !bytes.Equal(p.Data, want) || p.Format != format || !slices.Equal(p.Layers, layers) || p.Banner != tinyBanner || p.GOARCH != "amd64" {
			t.Errorf("%s: %d bytes of %s out of %v, banner %q, %v", c.name, len(p.Data), p.Format, p.Layers, p.Banner, err)
		}
		_, err = Unwrap(t.Context(), vmlinux, record(t, "amd64"))
		if c.direct != (err == nil) || err != nil && !strings.Contains(err.Error(), "give the bzImage") {
			t.Errorf("%s, the vmlinux alone: %v", c.name, err)
		}
	}
}

// TestABzImageIsKeptWithoutWhatIsAroundIt fails if QEMU gets a compressed bzImage.
func TestABzImageIsKeptWithoutWhatIsAroundIt(t *testing.T) {
	vmlinux := elfWith(t, elf.EM_X86_64, binary.LittleEndian, nil, "")
	file := tinyBzImage(sized(decompress.XZ, squeeze(t, decompress.XZ, vmlinux), len(vmlinux)))
	p, err := Unwrap(t.Context(), squeeze(t, decompress.Gzip, file), record(t, "amd64"))
	if err != nil || !bytes.Equal(p.Data, file) || !slices.Equal(p.Layers, []string{"gzip"}) {
		t.Errorf("%d bytes out of %v, %v", len(p.Data), p.Layers, err)
	}
}

func FuzzNotes(f *testing.F) {
	entry := pvhNote(binary.LittleEndian, "Xen", xenPhys32Entry)
	f.Add(entry)
	f.Add(entry[:13])
	f.Add(bytes.Repeat([]byte{0xff}, 12))
	f.Fuzz(func(_ *testing.T, notes []byte) { noteIn(notes, binary.LittleEndian, "Xen", xenPhys32Entry) })
}
