package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/source/decompress"
	"github.com/mapstack/conformance/harness/source/intake"
)

// tinyUImage is a payload behind U-Boot's header.
func tinyUImage(kind, compression byte, payload []byte) []byte {
	b := make([]byte, 64)
	copy(b, uImageMagic)
	binary.BigEndian.PutUint32(b[12:], uint32(len(payload)))
	b[30], b[31] = kind, compression
	return append(b, payload...)
}

// rawPOWER is what objcopy -O binary makes of a vmlinux for POWER.
func rawPOWER(flag string) []byte {
	b := make([]byte, 4096)
	copy(b[ppcFlagAt:], flag)
	copy(b[2048:], tinyBanner+"\n")
	return b
}

// withoutStub is an Image whose kernel has no EFI stub: it begins with code.
func withoutStub(image []byte) []byte {
	b := slices.Clone(image)
	copy(b, "\x1f\x20\x03\xd5")
	copy(b[0x3c:0x44], make([]byte, 8))
	return b
}

// vmlinuxOf puts an image into an ELF file with two segments, as a kernel's linker leaves
// it: the second is first in the table, and a gap is between them in the file.
func vmlinuxOf(t testing.TB, m elf.Machine, order binary.ByteOrder, at uint64, image []byte) []byte {
	t.Helper()
	const headers, gap = 64 + 2*56, 100
	half := uint64(len(image) / 2)
	head := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(m), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2, Shentsize: 64}
	copy(head.Ident[:], elf.ELFMAG)
	head.Ident[elf.EI_CLASS], head.Ident[elf.EI_DATA], head.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	if order == binary.BigEndian {
		head.Ident[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	first := elf.Prog64{Type: uint32(elf.PT_LOAD), Off: headers, Paddr: at, Filesz: half, Memsz: half}
	rest := uint64(len(image)) - half
	second := elf.Prog64{Type: uint32(elf.PT_LOAD), Off: headers + half + gap, Paddr: at + half, Filesz: rest, Memsz: rest + 64}
	var b bytes.Buffer
	for _, v := range []any{head, second, first, image[:half], make([]byte, gap), image[half:]} {
		if err := binary.Write(&b, order, v); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// change returns a copy of a file with other bytes at one place.
func change(file []byte, at int, to ...byte) []byte {
	b := slices.Clone(file)
	copy(b[at:], to)
	return b
}

// TestFormsThatQEMUDoesNotLoadBecomeOnesThatItLoads fails if a form that boot loaders or
// kernel builds know is handed to QEMU as it is, or refused.
func TestFormsThatQEMUDoesNotLoadBecomeOnesThatItLoads(t *testing.T) {
	le := binary.LittleEndian
	gz := func(b []byte) []byte { return squeeze(t, decompress.Gzip, b) }
	type row struct {
		name   string
		file   []byte
		arch   string
		plain  []byte
		format Format
		layers []string
	}
	rows := []row{
		{"uImage", tinyUImage(2, 0, arm64Image()), "arm64", arm64Image(), RawImage, []string{"uImage"}},
		{"uImage with gzip", tinyUImage(2, 1, gz(riscv64Image())), "riscv64", riscv64Image(), RawImage, []string{"uImage", "gzip"}},
		{"uImage that hides its gzip", tinyUImage(14, 0, gz(riscv64Image())), "riscv64", riscv64Image(), RawImage, []string{"uImage", "gzip"}},
		{"Image without EFI stub", withoutStub(arm64Image()), "arm64", withoutStub(arm64Image()), RawImage, nil},
		{"arm64 vmlinux", vmlinuxOf(t, elf.EM_AARCH64, le, 0xffff800008000000, arm64Image()), "arm64", arm64Image(), RawImage, []string{"vmlinux"}},
		{"riscv64 vmlinux", gz(vmlinuxOf(t, elf.EM_RISCV, le, 0, riscv64Image())), "riscv64", riscv64Image(), RawImage, []string{"gzip", "vmlinux"}},
		{"s390x vmlinux with its boot code", vmlinuxOf(t, elf.EM_S390, binary.BigEndian, 0, s390Image()), "s390x", s390Image(), S390Image, []string{"vmlinux"}},
	}
	vmlinux := tinyELF(t, elf.EM_X86_64, le)
	rows = append(rows, row{"bzip2 with the size that builds up to 5.16 append",
		sized(decompress.Bzip2, squeeze(t, decompress.Bzip2, vmlinux), len(vmlinux)), "amd64", vmlinux, ELF, []string{"bzip2"}})
	for _, f := range []decompress.Format{decompress.XZ, decompress.Zstd, decompress.LZ4, decompress.LZMA} {
		image := arm64Image()
		rows = append(rows, row{string(f) + " with the size that builds up to 5.16 append", sized(f, squeeze(t, f, image), len(image)),
			"arm64", image, RawImage, []string{string(f)}})
	}
	for _, r := range rows {
		p, err := Unwrap(t.Context(), r.file, record(t, r.arch))
		if err != nil || !bytes.Equal(p.Data, r.plain) || p.Format != r.format || !slices.Equal(p.Layers, r.layers) {
			t.Errorf("%s: %d bytes of %s out of %v, %v", r.name, len(p.Data), p.Format, p.Layers, err)
		}
	}
}

// TestARawKernelOfPOWERGetsAnELFHeader fails if what QEMU gets is no vmlinux with room for
// the kernel's zeros, behind which QEMU puts the initramfs.
func TestARawKernelOfPOWERGetsAnELFHeader(t *testing.T) {
	raw := rawPOWER("0nur")
	p, err := Unwrap(t.Context(), raw, record(t, "ppc64le"))
	if err != nil || p.Format != ELF || p.Banner != tinyBanner {
		t.Fatalf("%s, banner %q, %v", p.Format, p.Banner, err)
	}
	f, err := elf.NewFile(bytes.NewReader(p.Data))
	if err != nil || len(f.Progs) != 1 {
		t.Fatal(f, err)
	}
	s := f.Progs[0]
	code := make([]byte, len(raw))
	if _, err := s.ReadAt(code, 0); err != nil || !bytes.Equal(code, raw) || s.Paddr != 0 || s.Memsz < s.Filesz+16<<20 || f.Entry != s.Vaddr {
		t.Errorf("%+v, entry %#x, %v", s.ProgHeader, f.Entry, err)
	}
}

// TestAKernelOfMIPSNamesItsBoard fails if a kernel for Malta is started on a Loongson, where
// it says nothing until the limit of the boot.
func TestAKernelOfMIPSNamesItsBoard(t *testing.T) {
	vmlinux := tinyELF(t, elf.EM_MIPS, binary.LittleEndian)
	for want, flags := range map[string]uint32{"malta": 0x80000001, "loongson3": 0x80a20001} {
		file := binary.LittleEndian.AppendUint32(slices.Clone(vmlinux[:elfFlagsAt]), flags)
		file = append(file, vmlinux[len(file):]...)
		rec, got, err := Architecture(t.Context(), intake.Found{Kernel: squeeze(t, decompress.Gzip, file)})
		if err != nil || got != want || rec.GOARCH != "mips64le" {
			t.Errorf("flags %#x: %s of %s, %v", flags, got, rec.GOARCH, err)
		}
	}
}

// TestAnOldKernelOfARMGetsACPUWithoutLPA2 fails if such a kernel is started on a CPU that it
// takes for one without its page size: it stops before it prints anything.
func TestAnOldKernelOfARMGetsACPUWithoutLPA2(t *testing.T) {
	const is = "6.1.0-50-test"
	for version, want := range map[string]string{is: "", "5.12.0-9-test": "", "5.11.9-9-test": "nolpa2", "4.19.90--test": "nolpa2", "none---------": ""} {
		image := bytes.ReplaceAll(arm64Image(), []byte(is), []byte(version))
		if _, machine, err := Architecture(t.Context(), intake.Found{Kernel: image}); err != nil || machine != want {
			t.Errorf("%s: machine %q, %v", version, machine, err)
		}
	}
}

// TestWhatCannotBootSaysWhatToGiveInstead fails if such a file is booted in vain, or refused
// without the next step.
func TestWhatCannotBootSaysWhatToGiveInstead(t *testing.T) {
	le := binary.LittleEndian
	arm := vmlinuxOf(t, elf.EM_AARCH64, le, 0, arm64Image())
	const secondAt, off, paddr, filesz = 64, 8, 24, 32 // in the table of segments
	overlapping := slices.Concat(arm[:64+56+filesz], arm[64+filesz:64+filesz+8], arm[64+56+filesz+8:])
	le.PutUint64(overlapping[secondAt+off:], 64)
	le.PutUint64(overlapping[secondAt+filesz:], uint64(len(arm)-64))
	for _, c := range []struct {
		name, reason string
		file         []byte
	}{
		{"FIT", "dumpimage", append([]byte("\xd0\x0d\xfe\xed"), make([]byte, 100)...)},
		{"Android boot image", "unpack_bootimg", []byte("ANDROID!xxxxxxxx")},
		{"LZO", "lzop -d", []byte("\x89LZO\x00\r\n\x1a\n")},
		{"unified kernel image", "--dump-section .linux", append([]byte("MZ"), make([]byte, 100)...)},
		{"machine code", "give the vmlinux or vmlinuz", make([]byte, 4096)},
		{"uImage of machine code", "inside [uImage]: 4096 bytes", tinyUImage(2, 0, make([]byte, 4096))},
		{"uImage of a script", "type 6", tinyUImage(6, 0, arm64Image())},
		{"uImage in LZO", "compression number 4", tinyUImage(2, 4, arm64Image())},
		{"uImage cut in its header", "truncated in its header", tinyUImage(2, 0, arm64Image())[:40]},
		{"uImage cut in its payload", "payload is at bytes", tinyUImage(2, 0, arm64Image())[:500]},
		{"big-endian arm64", "EM_AARCH64 (big-endian)", change(arm64Image(), 24, 1)},
		{"big-endian arm64 vmlinux", "EM_AARCH64 (big-endian)", vmlinuxOf(t, elf.EM_AARCH64, binary.BigEndian, 0, arm64Image())},
		{"big-endian POWER", "EM_PPC64 (big-endian)", rawPOWER("run0")},
		{"arm64 vmlinux without a header", "give the Image", vmlinuxOf(t, elf.EM_AARCH64, le, 0, make([]byte, 4096))},
		{"s390x vmlinux without boot code", "give the bzImage", vmlinuxOf(t, elf.EM_S390, binary.BigEndian, 0x100000, make([]byte, 4096))},
		{"MIPS kernel for Octeon", "Malta or Loongson-3", change(tinyELF(t, elf.EM_MIPS, le), elfFlagsAt, 1, 0, 0x8b, 0x80)},
		{"segments far apart", "further apart", change(arm, secondAt+paddr, 0, 0, 0, 0, 1)},
		{"segments around the end of memory", "further apart", change(arm, secondAt+paddr, 0, 0, 0, 0, 0, 0, 0, 0xff)},
		{"overlapping segments", "overlap", overlapping},
	} {
		p, err := Unwrap(t.Context(), c.file, record(t, "amd64"))
		if err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %s, %v; want it to mention %q", c.name, p.Format, err, c.reason)
		}
	}
}

// TestASizeBehindAStreamIsNoLicenceForABomb fails if the second attempt has no bound.
func TestASizeBehindAStreamIsNoLicenceForABomb(t *testing.T) {
	const limit = 1 << 20
	for _, claimed := range []int{0, 100, limit, limit + 1} {
		file := sized(decompress.Zstd, squeeze(t, decompress.Zstd, make([]byte, limit+1)), claimed)
		if p, err := unwrapAny(t.Context(), file, limit); err == nil {
			t.Errorf("size %d: accepted as %d bytes", claimed, len(p.Data))
		}
	}
}
