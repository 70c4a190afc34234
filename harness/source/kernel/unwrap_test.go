package kernel

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/source/decompress"
)

func TestEveryWrappingComesOff(t *testing.T) {
	le := binary.LittleEndian
	vmlinux := tinyELF(t, elf.EM_X86_64, le)
	type row struct {
		name   string
		file   []byte
		arch   string
		plain  []byte
		format Format
		layers []string
	}
	rows := []row{
		{"vmlinux", vmlinux, "amd64", vmlinux, ELF, nil},
		{"arm64 Image", arm64Image(), "arm64", arm64Image(), RawImage, nil},
		{"riscv64 Image", riscv64Image(), "riscv64", riscv64Image(), RawImage, nil},
		{"loong64 Image", loong64Image(), "loong64", loong64Image(), RawImage, nil},
		{"s390 image", s390Image(), "s390x", s390Image(), S390Image, nil},
		{"Image.gz", squeeze(t, decompress.Gzip, arm64Image()), "arm64", arm64Image(), RawImage, []string{"gzip"}},
		{"gzip'ed zboot", squeeze(t, decompress.Gzip, tinyZboot("gzip", squeeze(t, decompress.Gzip, riscv64Image()), 0)),
			"riscv64", riscv64Image(), RawImage, []string{"gzip", "zboot", "gzip"}},
	}
	for _, m := range []struct {
		arch string
		elf  elf.Machine
		bo   binary.ByteOrder
	}{{"mips64le", elf.EM_MIPS, le}, {"ppc64le", elf.EM_PPC64, le}, {"loong64", elf.EM_LOONGARCH, le}} {
		v := tinyELF(t, m.elf, m.bo)
		rows = append(rows, row{m.arch + " vmlinux", v, m.arch, v, ELF, nil})
	}
	for _, f := range []decompress.Format{decompress.Gzip, decompress.Bzip2, decompress.XZ, decompress.Zstd, decompress.LZ4, decompress.LZMA} {
		rows = append(rows, row{"bzImage " + string(f), tinyBzImage(sized(f, squeeze(t, f, vmlinux), len(vmlinux))),
			"amd64", vmlinux, ELF, []string{"bzImage", string(f)}})
	}
	for name, f := range zbootTypes {
		img := loong64Image()
		rows = append(rows, row{"zboot " + name, tinyZboot(name, squeeze(t, f, img), len(img)),
			"loong64", img, RawImage, []string{"zboot", string(f)}})
	}
	for _, r := range rows {
		p, err := Unwrap(t.Context(), r.file, record(t, r.arch))
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		if !bytes.Equal(p.Data, r.plain) || p.Format != r.format || !slices.Equal(p.Layers, r.layers) || p.GOARCH != r.arch {
			t.Errorf("%s: got %d bytes of %s for %s out of %q, want %d bytes of %s for %s out of %q",
				r.name, len(p.Data), p.Format, p.GOARCH, p.Layers, len(r.plain), r.format, r.arch, r.layers)
		}
		if r.format != S390Image && p.Banner != tinyBanner {
			t.Errorf("%s: banner %q", r.name, p.Banner)
		}
	}
}

func TestAKernelForAnotherArchitectureIsATypedError(t *testing.T) {
	vmlinux := tinyELF(t, elf.EM_X86_64, binary.LittleEndian)
	bz := tinyBzImage(squeeze(t, decompress.Gzip, vmlinux))
	x86 := tinyELF(t, elf.EM_386, binary.LittleEndian)
	for _, r := range []struct {
		name      string
		file      []byte
		want, got string
	}{
		{"bzImage", bz, "arm64", "amd64"},
		{"arm64 Image", arm64Image(), "riscv64", "arm64"},
		{"riscv64 Image", riscv64Image(), "loong64", "riscv64"},
		{"loong64 Image", loong64Image(), "amd64", "loong64"},
		{"s390 image", s390Image(), "amd64", "s390x"},
		{"big-endian ppc64", tinyELF(t, elf.EM_PPC64, binary.BigEndian), "ppc64le", "EM_PPC64 (big-endian)"},
		{"big-endian mips64", tinyELF(t, elf.EM_MIPS, binary.BigEndian), "mips64le", "EM_MIPS (big-endian)"},
		{"i386 in a bzImage", tinyBzImage(squeeze(t, decompress.Gzip, x86)), "amd64", "EM_386 (little-endian)"},
	} {
		_, err := Unwrap(t.Context(), r.file, record(t, r.want))
		var wrong *WrongArchError
		if !errors.As(err, &wrong) || wrong.Want != r.want || wrong.Got != r.got {
			t.Errorf("%s in a cell of %s: %v, want a WrongArchError about %s", r.name, r.want, err, r.got)
		}
	}
}

func TestDamagedFilesAreRefusedWithAReason(t *testing.T) {
	le := binary.LittleEndian
	vmlinux := tinyELF(t, elf.EM_X86_64, le)
	bz := func(f decompress.Format, change func(b []byte) []byte) []byte {
		return change(tinyBzImage(sized(f, squeeze(t, f, vmlinux), len(vmlinux))))
	}
	zb := func(change func(b []byte) []byte) []byte {
		return change(tinyZboot("zstd", squeeze(t, decompress.Zstd, vmlinux), len(vmlinux)))
	}
	put32 := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { le.PutUint32(b[at:], v); return b }
	}
	// A bzImage whose payload is cut at the end of the file, with a header to match.
	cut := func(b []byte) []byte {
		b = b[:0x620+(len(b)-0x620)/2]
		le.PutUint32(b[0x24c:], uint32(len(b)-0x620))
		return b
	}
	nested := vmlinux
	for range maxLayers + 1 {
		nested = squeeze(t, decompress.Gzip, nested)
	}
	for _, r := range []struct {
		name   string
		file   []byte
		reason string
	}{
		{"empty file", nil, "0 bytes"},
		{"text", []byte("<html>not found</html>"), "no kernel in a form known here"},
		{"bzImage cut in its header", bz(decompress.Gzip, func(b []byte) []byte { return b[:0x248] }), "truncated in its header"},
		{"bzImage cut in its payload", bz(decompress.Gzip, func(b []byte) []byte { return b[:len(b)-200] }), "truncated"},
		{"bzImage with a short payload", bz(decompress.Zstd, cut), "zstd"},
		{"gzip bzImage with a short payload", bz(decompress.Gzip, cut), "gzip"},
		{"xz bzImage with a short payload", bz(decompress.XZ, cut), "xz"},
		{"lz4 bzImage with a short payload", bz(decompress.LZ4, cut), ""},
		{"bzImage payload offset outside", bz(decompress.Zstd, put32(0x248, 0xfffffff0)), "payload is at bytes"},
		{"bzImage payload length outside", bz(decompress.Zstd, put32(0x24c, 0xffffffff)), "payload is at bytes"},
		{"bzImage without payload", bz(decompress.Zstd, put32(0x24c, 0)), "payload is at bytes"},
		{"bzImage of an old protocol", bz(decompress.Zstd, func(b []byte) []byte { b[0x206] = 7; b[0x207] = 2; return b }), "boot protocol 0x207"},
		{"bzImage in LZO", tinyBzImage([]byte("\x89LZO\x00\r\n\x1a\nxxxx")), "no compression known"},
		{"bzImage whose size is a lie", tinyBzImage(sized(decompress.Zstd, squeeze(t, decompress.Zstd, vmlinux), len(vmlinux)+1)), "header says"},
		{"bzImage with a bomb's size", tinyBzImage(sized(decompress.Zstd, squeeze(t, decompress.Zstd, vmlinux), maxPlain+1)), "unpacks to more than"},
		{"bzImage around text", tinyBzImage(squeeze(t, decompress.Gzip, []byte("hello"))), "inside [bzImage gzip]"},
		{"zboot cut in its header", zb(func(b []byte) []byte { return b[:40] }), "truncated in its header"},
		{"zboot payload offset outside", zb(put32(8, 0xffffffff)), "payload is at bytes"},
		{"zboot payload length outside", zb(put32(12, 0x10000)), "payload is at bytes"},
		{"zboot without its size", zb(func(b []byte) []byte { return b[:len(b)-2] }), "payload is at bytes"},
		{"zboot of unknown compression", zb(func(b []byte) []byte { copy(b[24:], "lzo\x00\x00"); return b }), `compressed with "lzo"`},
		{"zboot of a nameless compression", zb(func(b []byte) []byte { copy(b[24:], strings.Repeat("z", 32)); return b }), "compressed with"},
		{"Image with sections outside", arm64Image()[:3000], "section 0 of the image"},
		{"Image cut in its PE header", arm64Image()[:0x50], "PE header lies outside"},
		{"Image without PE signature", append(append(arm64Image()[:0x40:0x40], "NO"...), arm64Image()[0x42:]...), "PE signature"},
		{"Image with too many sections", func() []byte { b := riscv64Image(); b[0x47] = 0xff; return b }(), "PE header lies outside"},
		{"EFI program of another machine", tinyImage("\xcd\x23\x82\x81", 0x8664), "PE machine type 0x8664"},
		{"vmlinux cut in a segment", vmlinux[:len(vmlinux)-1], "segment 0"},
		{"vmlinux cut in its header", vmlinux[:40], "ELF file is truncated"},
		{"object file", func() []byte { b := slices.Clone(vmlinux); b[16] = byte(elf.ET_REL); return b }(), "ET_REL"},
		{"vmlinux with nothing to load", func() []byte { b := slices.Clone(vmlinux); b[64] = byte(elf.PT_NOTE); return b }(), "nothing to load"},
		{"five layers", nested, "more than 4 layers"},
	} {
		p, err := Unwrap(t.Context(), r.file, record(t, "amd64"))
		if err == nil {
			t.Errorf("%s: accepted, as %d bytes of %s", r.name, len(p.Data), p.Format)
			continue
		}
		if !strings.Contains(err.Error(), r.reason) {
			t.Errorf("%s: %v; want it to mention %q", r.name, err, r.reason)
		}
	}
}

func TestADecompressionBombEndsAtTheBound(t *testing.T) {
	// A gzip stream does not state its size in advance.
	const limit = 1 << 20
	bomb := squeeze(t, decompress.Gzip, make([]byte, limit+1))
	for name, file := range map[string][]byte{
		"bare stream": bomb,
		"zboot":       tinyZboot("gzip", bomb, 0),
	} {
		_, err := unwrap(t.Context(), file, record(t, "arm64"), limit)
		if err == nil || !strings.Contains(err.Error(), "more than the 1048576 bytes") {
			t.Errorf("%s of %d bytes: %v", name, len(file), err)
		}
	}
}

func TestAnInterruptedUnwrapEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := squeeze(t, decompress.Zstd, tinyELF(t, elf.EM_X86_64, binary.LittleEndian))
	if _, err := Unwrap(ctx, file, record(t, "amd64")); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestTheFormatStringIsNotTakenForTheBanner(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"Linux version %s (%s)\n":         "",
		"xxLinux version 6.1.0-x (a)\nyy": "Linux version 6.1.0-x (a)",
		"Linux version \x01\nLinux version 6.1\x00": "Linux version 6.1",
		"Linux version ": "",
	} {
		if got := banner([]byte(in)); got != want {
			t.Errorf("banner(%q) = %q, want %q", in, got, want)
		}
	}
	long := banner([]byte("Linux version 6.1.0 " + strings.Repeat("a", 4*maxBanner)))
	if len(long) > maxBanner {
		t.Errorf("a banner of %d bytes", len(long))
	}
}

func FuzzUnwrap(f *testing.F) {
	vmlinux := tinyELF(f, elf.EM_X86_64, binary.LittleEndian)
	for _, c := range []decompress.Format{decompress.Gzip, decompress.Bzip2, decompress.Zstd, decompress.LZ4, decompress.LZMA} {
		f.Add(tinyBzImage(sized(c, squeeze(f, c, vmlinux), len(vmlinux))))
	}
	f.Add(tinyZboot("zstd", squeeze(f, decompress.Zstd, loong64Image()), 4096))
	f.Add(squeeze(f, decompress.Gzip, arm64Image()))
	for _, b := range [][]byte{vmlinux, arm64Image(), riscv64Image(), loong64Image(), s390Image(), rawPOWER("0nur"),
		tinyUImage(2, 0, arm64Image()), tinyUImage(2, 1, squeeze(f, decompress.Gzip, riscv64Image())),
		vmlinuxOf(f, elf.EM_AARCH64, binary.LittleEndian, 0xffff800008000000, arm64Image()),
		vmlinuxOf(f, elf.EM_S390, binary.BigEndian, 0, s390Image()),
		sized(decompress.Zstd, squeeze(f, decompress.Zstd, arm64Image()), 4096)} {
		f.Add(b)
	}
	amd64 := record(f, "amd64")
	f.Fuzz(func(t *testing.T, file []byte) {
		if bytes.Contains(file, []byte("\xfd7zXZ\x00")) || bytes.Contains(file, []byte("xzkern")) {
			t.Skip("starts a process for each input")
		}
		p, err := Unwrap(t.Context(), file, amd64)
		if err == nil && (p.GOARCH != "amd64" || len(p.Data) == 0 || len(p.Data) > maxPlain) {
			t.Fatalf("accepted %d bytes for %s", len(p.Data), p.GOARCH)
		}
	})
}
