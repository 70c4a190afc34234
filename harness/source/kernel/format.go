package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/source/decompress"
)

// identify determines the format of data from its content alone. Compressed formats
// come first: they are also PE programs.
func identify(data []byte) (content, error) {
	switch {
	case hasAt(data, 0, "MZ") && hasAt(data, 4, "zimg"):
		return zboot(data)
	case hasAt(data, 0x1fe, "\x55\xaa") && hasAt(data, 0x202, "HdrS"):
		return bzImage(data)
	case hasAt(data, 0, elf.ELFMAG):
		return elfFile(data)
	case hasAt(data, 0x38, "ARM\x64"): // Documentation/arch/arm64/booting.rst
		return rawImage(data, elf.EM_AARCH64)
	case hasAt(data, 0x38, "RSC\x05"): // Documentation/arch/riscv/boot-image-header.rst
		return rawImage(data, elf.EM_RISCV)
	case hasAt(data, 0, "MZ") && hasAt(data, 0x38, "\xcd\x23\x82\x81"): // LINUX_PE_MAGIC, include/linux/pe.h
		return efiImage(data)
	case hasAt(data, s390EntryAt, s390Entry):
		return content{format: S390Image, goarch: goarch(elf.EM_S390, true)}, nil
	case hasAt(data, 0, uImageMagic):
		return uImage(data)
	case hasAt(data, ppcFlagAt, "0nur"):
		return rawPPC64(data)
	case hasAt(data, ppcFlagAt, "run0"):
		return content{goarch: goarch(elf.EM_PPC64, true)}, nil
	}
	if f := decompress.Detect(data); f != decompress.None {
		return content{wrapped: &payload{format: f, data: data, size: -1}}, nil
	}
	for _, u := range unbootable {
		if hasAt(data, 0, u.magic) {
			return content{}, fmt.Errorf("%d bytes that begin with %x are %s", len(data), data[:min(len(data), 8)], u.instead)
		}
	}
	return content{}, fmt.Errorf("%d bytes that begin with %x are no kernel in a form known here (bzImage, EFI zboot, Image, vmlinux, s390 image, or one of these compressed or as a uImage); machine code without a header (vmlinux.bin, a uImage of MIPS) does not say how to start it: give the vmlinux or vmlinuz of the same build",
		len(data), data[:min(len(data), 8)])
}

// unbootable are files that hold a kernel in a form that is not read here, and what to
// give instead.
var unbootable = []struct{ magic, instead string }{
	{"\xd0\x0d\xfe\xed", "a device tree or a FIT image; give the kernel inside it, as dumpimage -T flat_dt -l lists it and -p extracts it"},
	{"ANDROID!", "an Android boot image; give the kernel inside it, as unpack_bootimg extracts it"},
	{"\x89LZO\x00", "compressed with LZO; give the file that lzop -d makes of it"},
	{"MZ", "an EFI program without the header of a Linux kernel; of a unified kernel image, give its kernel, as objcopy --dump-section .linux=vmlinuz extracts it"},
}

func hasAt(data []byte, at int, magic string) bool {
	return at+len(magic) <= len(data) && string(data[at:at+len(magic)]) == magic
}

// goarch returns the GOARCH of a machine, or the name in the ELF standard if this
// project does not know the machine.
func goarch(m elf.Machine, big bool) string {
	for _, r := range arch.All() {
		if (r.ELF == m || slices.Contains(r.OtherELF, m)) && r.Big == big {
			return r.GOARCH
		}
	}
	order := "little"
	if big {
		order = "big"
	}
	return fmt.Sprintf("%s (%s-endian)", m, order)
}

// bzImageLayer is the name of a bzImage among the layers of a kernel.
const bzImageLayer = "bzImage"

// bzImageVersion is the boot protocol that introduced payload_offset.
const bzImageVersion = 0x0208

// bzImage reads the fields of Documentation/arch/x86/boot.rst.
func bzImage(data []byte) (content, error) {
	const headerEnd = 0x250
	if len(data) < headerEnd {
		return content{}, fmt.Errorf("the bzImage is truncated in its header, at %d bytes", len(data))
	}
	if v := binary.LittleEndian.Uint16(data[0x206:]); v < bzImageVersion {
		return content{}, fmt.Errorf("the bzImage has boot protocol %#x, which does not say where its payload is; %#x (Linux 2.6.26) is needed", v, bzImageVersion)
	}
	sectors := int64(data[0x1f1])
	if sectors == 0 {
		sectors = 4
	}
	start := (sectors+1)*512 + int64(binary.LittleEndian.Uint32(data[0x248:]))
	length := int64(binary.LittleEndian.Uint32(data[0x24c:]))
	body, err := within(data, "bzImage", start, length)
	if err != nil {
		return content{}, err
	}
	f := decompress.Detect(body)
	if f == decompress.None {
		return content{}, fmt.Errorf("the bzImage's payload begins with %x, which is no compression known here (gzip, bzip2, xz, zstd, lz4, lzma)", body[:min(len(body), 6)])
	}
	// The kernel build appends the plain size to every stream except gzip, which ends
	// with it anyway (scripts/Makefile.lib, size_append).
	if len(body) < 4 {
		return content{}, errors.New("the bzImage's payload is empty")
	}
	p := &payload{layer: bzImageLayer, format: f, data: body, size: int64(binary.LittleEndian.Uint32(body[len(body)-4:]))}
	if f != decompress.Gzip {
		p.data = body[:len(body)-4]
	}
	return content{wrapped: p}, nil
}

// zbootTypes are the names of drivers/firmware/efi/libstub/Makefile.zboot.
var zbootTypes = map[string]decompress.Format{
	"gzip": decompress.Gzip, "lz4": decompress.LZ4, "lzma": decompress.LZMA,
	"xzkern": decompress.XZ, "zstd": decompress.Zstd, "zstd22": decompress.Zstd,
}

// zboot reads the header of drivers/firmware/efi/libstub/zboot-header.S:
// "MZ\0\0", "zimg", payload offset and size, 8 reserved bytes, and the name of
// the compression in 32 bytes, all little-endian.
func zboot(data []byte) (content, error) {
	const nameAt, nameEnd = 24, 56
	if len(data) < nameEnd {
		return content{}, fmt.Errorf("the EFI zboot image is truncated in its header, at %d bytes", len(data))
	}
	name, _, _ := bytes.Cut(data[nameAt:nameEnd], []byte{0})
	f, ok := zbootTypes[string(name)]
	if !ok {
		return content{}, fmt.Errorf("the EFI zboot image is compressed with %q; known are gzip, lz4, lzma, xzkern and zstd", name)
	}
	start := int64(binary.LittleEndian.Uint32(data[8:]))
	length := int64(binary.LittleEndian.Uint32(data[12:]))
	body, err := within(data, "EFI zboot image", start, length)
	if err != nil {
		return content{}, err
	}
	p := &payload{layer: "zboot", format: f, data: body, size: -1}
	// The plain size follows the payload, except after gzip.
	if f != decompress.Gzip {
		tail, err := within(data, "EFI zboot image", start+length, 4)
		if err != nil {
			return content{}, err
		}
		p.size = int64(binary.LittleEndian.Uint32(tail))
	}
	return content{wrapped: p}, nil
}

func within(data []byte, what string, start, length int64) ([]byte, error) {
	if length <= 0 || start+length > int64(len(data)) {
		return nil, fmt.Errorf("the %s says its payload is at bytes %d to %d, but the file has %d; it is truncated or damaged",
			what, start, start+length, len(data))
	}
	return data[start : start+length], nil
}

// elfFile accepts a 64-bit program all of whose segments are in the file.
func elfFile(data []byte) (content, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return content{}, fmt.Errorf("the ELF file is truncated or damaged: %w", err)
	}
	if f.Class != elf.ELFCLASS64 {
		return content{format: ELF, goarch: fmt.Sprintf("%s (%s)", f.Machine, f.Class)}, nil
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return content{}, fmt.Errorf("the ELF file is of type %s, which cannot be booted", f.Type)
	}
	loads := 0
	for i, s := range f.Progs {
		if s.Type != elf.PT_LOAD {
			continue
		}
		loads++
		if end := s.Off + s.Filesz; end < s.Off || end > uint64(len(data)) {
			return content{}, fmt.Errorf("segment %d of the ELF file lies at bytes %d to %d, but the file has %d; it is truncated or damaged", i, s.Off, end, len(data))
		}
	}
	if loads == 0 {
		return content{}, errors.New("the ELF file has nothing to load")
	}
	c := content{format: ELF, goarch: goarch(f.Machine, f.Data == elf.ELFDATA2MSB)}
	switch f.Machine {
	case elf.EM_X86_64:
		c.indirect = !entersPVH(f, data)
	case elf.EM_MIPS:
		c.machine, err = mipsBoard(f.ByteOrder.Uint32(data[elfFlagsAt:]))
	case elf.EM_AARCH64, elf.EM_RISCV, elf.EM_S390:
		return flattened(f, data)
	}
	return c, err
}
