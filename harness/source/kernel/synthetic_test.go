package kernel

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/decompress"
)

const tinyBanner = "Linux version 6.1.0-50-test (builder@host) (gcc) #1 SMP"

// tinyELF is a vmlinux that names itself and that QEMU starts directly, on amd64 by PVH.
func tinyELF(t testing.TB, m elf.Machine, order binary.ByteOrder) []byte {
	t.Helper()
	return elfWith(t, m, order, pvhNote(order, "Xen", xenPhys32Entry), "Error: Missing xen PVH initialization\n\x00")
}

// pvhNote is an ELF note with a description of eight bytes.
func pvhNote(order binary.ByteOrder, owner string, kind uint32) []byte {
	name := append([]byte(owner), 0)
	var b bytes.Buffer
	for _, v := range []any{[3]uint32{uint32(len(name)), 8, kind}, name, make([]byte, (4-len(name)%4)%4), make([]byte, 8)} {
		_ = binary.Write(&b, order, v) // a buffer takes everything
	}
	return b.Bytes()
}

// elfWith is a vmlinux with notes and a text of its own.
func elfWith(t testing.TB, m elf.Machine, order binary.ByteOrder, notes []byte, own string) []byte {
	t.Helper()
	const phdrs, headers = 2, 64 + 2*56
	text := append([]byte("Linux version %s\x00"+tinyBanner+"\n\x00"+own), make([]byte, 2048)...)
	head := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(m), Version: 1,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: phdrs, Shentsize: 64,
	}
	copy(head.Ident[:], elf.ELFMAG)
	head.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	head.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	if order == binary.BigEndian {
		head.Ident[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	head.Ident[elf.EI_VERSION] = 1
	load := elf.Prog64{Type: uint32(elf.PT_LOAD), Off: headers + uint64(len(notes)), Filesz: uint64(len(text)), Memsz: uint64(len(text))}
	note := elf.Prog64{Type: uint32(elf.PT_NOTE), Off: headers, Filesz: uint64(len(notes))}
	var b bytes.Buffer
	for _, v := range []any{head, load, note} {
		if err := binary.Write(&b, order, v); err != nil {
			t.Fatal(err)
		}
	}
	return append(append(b.Bytes(), notes...), text...)
}

// tinyImage is an Image with magic at 0x38 and a PE header with one section.
func tinyImage(magic string, machine uint16) []byte {
	b := make([]byte, 4096)
	copy(b, "MZ")
	copy(b[0x38:], magic)
	binary.LittleEndian.PutUint32(b[0x3c:], 0x40)
	copy(b[0x40:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(b[0x44:], machine)
	binary.LittleEndian.PutUint16(b[0x46:], 1)
	binary.LittleEndian.PutUint32(b[0x58+16:], 2048) // raw size
	binary.LittleEndian.PutUint32(b[0x58+20:], 2048) // raw pointer
	copy(b[2048:], tinyBanner+"\n")
	return b
}

func arm64Image() []byte   { return tinyImage("ARM\x64", 0xaa64) }
func riscv64Image() []byte { return tinyImage("RSC\x05", 0x5064) }
func loong64Image() []byte { return tinyImage("\xcd\x23\x82\x81", 0x6264) }

func s390Image() []byte {
	b := make([]byte, 0x11000)
	copy(b[0x10008:], "S390EP")
	return b
}

// squeeze compresses as kernel builds do. Go has no bzip2 encoder: testdata
// holds the stream of tinyELF for amd64.
func squeeze(t testing.TB, f decompress.Format, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch f {
	case decompress.Gzip:
		w = gzip.NewWriter(&b)
	case decompress.XZ:
		w, err = xz.NewWriter(&b)
	case decompress.Zstd:
		w, err = zstd.NewWriter(&b)
	case decompress.LZMA:
		w, err = lzma.NewWriter(&b)
	case decompress.LZ4:
		z := lz4.NewWriter(&b)
		w, err = z, z.Apply(lz4.LegacyOption(true))
	case decompress.Bzip2:
		stream, err := os.ReadFile("testdata/tiny-amd64-elf.bz2")
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatalf("compressing with %s: %v", f, err)
	}
	return b.Bytes()
}

// sized appends the plain size as kernel builds do for all but gzip.
func sized(f decompress.Format, stream []byte, size int) []byte {
	if f == decompress.Gzip {
		return stream
	}
	return binary.LittleEndian.AppendUint32(slices.Clone(stream), uint32(size))
}

func tinyBzImage(payload []byte) []byte {
	const sectors, offset = 2, 0x20
	b := make([]byte, (sectors+1)*512+offset)
	b[0x1f1] = sectors
	b[0x1fe], b[0x1ff] = 0x55, 0xaa
	copy(b[0x202:], "HdrS")
	binary.LittleEndian.PutUint16(b[0x206:], 0x20f)
	binary.LittleEndian.PutUint32(b[0x248:], offset)
	binary.LittleEndian.PutUint32(b[0x24c:], uint32(len(payload)))
	return append(append(b, payload...), "the rest of the decompressor"...)
}

func tinyZboot(name string, stream []byte, size int) []byte {
	b := make([]byte, 0x400)
	copy(b, "MZ\x00\x00zimg")
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b[12:], uint32(len(stream)))
	copy(b[24:], name)
	copy(b[0x38:], "\xcd\x23\x82\x81")
	b = append(b, stream...)
	return binary.LittleEndian.AppendUint32(b, uint32(size))
}

func record(t testing.TB, name string) arch.Record {
	t.Helper()
	r, err := arch.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
