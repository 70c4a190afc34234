package assembler

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// pageMost is the largest page size of any kernel here, in bytes. Segments begin at
// multiples of it, in the file too.
const pageMost = 64 << 10

// image returns a static executable with code, data, and reserved bytes that start
// as zero.
func image(machine elf.Machine, flags uint32, code, data []byte, reserved uint64) []byte {
	const header, segment, segments = 64, 56, 3
	// Every instruction set allows code to begin at a multiple of 16.
	start := uint64(header+segments*segment+15) &^ 15
	dataAt := (start + uint64(len(code)) + pageMost - 1) &^ (pageMost - 1)
	var b bytes.Buffer
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
	put := func(v any) {
		// Writing to a bytes.Buffer cannot fail, and every value here has a fixed
		// size.
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	put(elf.Header64{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Entry: codeBase + start, Phoff: header, Flags: flags, Ehsize: header, Phentsize: segment, Phnum: segments})
	put(elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: codeBase, Paddr: codeBase,
		Filesz: start + uint64(len(code)), Memsz: start + uint64(len(code)), Align: pageMost})
	put(elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W), Off: dataAt, Vaddr: dataBase, Paddr: dataBase,
		Filesz: uint64(len(data)), Memsz: reservedBase - dataBase + reserved, Align: pageMost})
	// Without PT_GNU_STACK the stack would be executable.
	put(elf.Prog64{Type: uint32(elf.PT_GNU_STACK), Flags: uint32(elf.PF_R | elf.PF_W), Align: 16})
	b.Write(make([]byte, start-uint64(b.Len())))
	b.Write(code)
	b.Write(make([]byte, dataAt-uint64(b.Len())))
	b.Write(data)
	return b.Bytes()
}
