package kernel

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mapstack/conformance/harness/source/decompress"
)

// s390Entry marks a kernel of s390x that can be booted, at this address
// (arch/s390/boot/head.S).
const (
	s390EntryAt = 0x10008
	s390Entry   = "S390EP"
)

// flattened turns a vmlinux into the image that the kernel's build makes of it with
// objcopy -O binary. QEMU does not start these vmlinux itself: their segments name
// addresses where the board has no memory, and it gives them no device tree.
func flattened(f *elf.File, data []byte) (content, error) {
	c := content{goarch: goarch(f.Machine, f.Data == elf.ELFDATA2MSB)}
	if c.goarch != goarch(f.Machine, f.Machine == elf.EM_S390) {
		return c, nil // the other byte order: only its name is needed
	}
	flat, err := flat(f, data)
	if err != nil {
		return content{}, err
	}
	c.wrapped = &payload{layer: "vmlinux", format: decompress.None, data: flat, size: -1}
	switch {
	case f.Machine == elf.EM_AARCH64 && hasAt(flat, 0x38, "ARM\x64"), f.Machine == elf.EM_RISCV && hasAt(flat, 0x38, "RSC\x05"),
		f.Machine == elf.EM_S390 && hasAt(flat, s390EntryAt, s390Entry):
		return c, nil
	case f.Machine == elf.EM_S390:
		return content{}, errors.New("this vmlinux of s390x lacks the code that starts it (arch/s390/boot); give the bzImage that was built with it, as /boot has it under the name vmlinuz")
	}
	return content{}, fmt.Errorf("this ELF file for %s has no header of an Image; give the Image that was built with it, as /boot has it under the name vmlinuz", c.goarch)
}

// maxGaps bounds what lies between the segments of a file, in bytes. Kernels align them to
// 2 MiB at most.
const maxGaps = 16 << 20

// flat lays out the segments of a file by their physical addresses, from the lowest.
func flat(f *elf.File, data []byte) ([]byte, error) {
	var loads []elf.ProgHeader
	for _, s := range f.Progs {
		if s.Type == elf.PT_LOAD && s.Filesz > 0 {
			loads = append(loads, s.ProgHeader)
		}
	}
	if len(loads) == 0 {
		return nil, errors.New("the ELF file has nothing to load")
	}
	low := slices.MinFunc(loads, func(a, b elf.ProgHeader) int { return cmp.Compare(a.Paddr, b.Paddr) }).Paddr
	limit := min(uint64(len(data))+maxGaps, maxPlain)
	var size, sum uint64
	for _, s := range loads {
		at := s.Paddr - low
		if at > limit || s.Filesz > limit-at {
			return nil, errors.New("the ELF file's segments are further apart than those of any kernel; it is damaged")
		}
		size = max(size, at+s.Filesz)
		if sum += s.Filesz; sum > uint64(len(data)) {
			return nil, errors.New("the ELF file's segments overlap; it is damaged")
		}
	}
	out := make([]byte, size)
	for _, s := range loads {
		copy(out[s.Paddr-low:], data[s.Off:s.Off+s.Filesz])
	}
	return out, nil
}

// elfFlagsAt is where e_flags is in the header of a 64-bit ELF file (debug/elf does not
// keep it).
const elfFlagsAt = 48

// mipsBoard returns the machine for a kernel by the CPU that its compiler was told: a
// Malta does not start what is made for Loongson's CPUs, nor the other way round.
func mipsBoard(flags uint32) (string, error) {
	// EF_MIPS_MACH and its values, from include/elf/mips.h of binutils.
	const mask, gs464, gs464e, gs264e = 0x00ff0000, 0x00a20000, 0x00a30000, 0x00a40000
	switch cpu := flags & mask; cpu {
	case 0:
		return "malta", nil
	case gs464, gs464e, gs264e:
		return "loongson3", nil
	default:
		return "", fmt.Errorf("the kernel is built for a MIPS CPU with number %#x in the ELF flags, of which no machine is emulated here; give one for Malta or Loongson-3", cpu)
	}
}

// ppcFlagAt is where every 64-bit kernel of POWER has the word "run0", in its byte order
// (__run_at_load, arch/powerpc/kernel/head_64.S).
const ppcFlagAt = 0x5c

// rawPPC64 puts a vmlinux around what objcopy -O binary made of one: QEMU loads nothing
// else. The kernel starts at its first byte, and moves itself to where it is loaded.
func rawPPC64(data []byte) (content, error) {
	const (
		headers  = 64 + 56
		virtual  = 0xc000000000000000 // PAGE_OFFSET
		abi      = 2                  // e_flags: ELFv2
		forZeros = 64 << 20           // for .bss, whose size is lost; Debian's has 1.3 MiB
	)
	head := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_PPC64), Version: uint32(elf.EV_CURRENT), Entry: virtual,
		Phoff: 64, Flags: abi, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	}
	copy(head.Ident[:], elf.ELFMAG)
	head.Ident[elf.EI_CLASS], head.Ident[elf.EI_DATA], head.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	load := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X), Off: headers, Vaddr: virtual,
		Filesz: uint64(len(data)), Memsz: uint64(len(data)) + forZeros, Align: 8}
	var b bytes.Buffer
	for _, part := range []any{head, load, data} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			return content{}, fmt.Errorf("make a vmlinux of the raw kernel: %w", err)
		}
	}
	return content{wrapped: &payload{layer: "raw", format: decompress.None, data: b.Bytes(), size: -1}}, nil
}
