package kernel

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// rawImage accepts an Image. If it has an EFI stub, it is also a PE program, and the
// sections show whether the file is complete.
func rawImage(data []byte, m elf.Machine) (content, error) {
	if hasAt(data, 0, "MZ") {
		if _, err := peMachine(data); err != nil {
			return content{}, err
		}
	}
	// Bit 0 of the flags is the byte order, in the headers of both architectures.
	const flagsAt = 24
	return content{format: RawImage, goarch: goarch(m, data[flagsAt]&1 != 0)}, nil
}

// efiMachines are the architectures whose Image is identified only by its PE header.
// The machine numbers are those of include/linux/pe.h.
var efiMachines = map[uint16]elf.Machine{
	0x6264: elf.EM_LOONGARCH,
}

func efiImage(data []byte) (content, error) {
	number, err := peMachine(data)
	if err != nil {
		return content{}, err
	}
	m, ok := efiMachines[number]
	if !ok {
		return content{}, fmt.Errorf("the EFI program has PE machine type %#x and no Linux header known here", number)
	}
	return content{format: RawImage, goarch: goarch(m, false)}, nil
}

// Parts of a PE file, in bytes (Microsoft's PE format; debug/pe refuses
// LoongArch).
const (
	peOffsetAt     = 0x3c // where the MZ header says where the PE header is
	peHeaderLen    = 24   // signature and COFF header
	peSectionLen   = 40
	peMaxSections  = 96 // the most that Windows loads; Linux has two to four
	peSectionsAt   = 6
	peOptionalAt   = 20
	peRawSizeAt    = 16
	peRawPointerAt = 20
)

// peMachine returns the machine number of a PE program after checking that
// every section is in the file.
func peMachine(data []byte) (uint16, error) {
	damaged := errors.New("the image's PE header lies outside of the file; it is truncated or damaged")
	if len(data) < peOffsetAt+4 {
		return 0, damaged
	}
	at := int64(binary.LittleEndian.Uint32(data[peOffsetAt:]))
	if at+peHeaderLen > int64(len(data)) {
		return 0, damaged
	}
	head := data[at : at+peHeaderLen]
	if string(head[:4]) != "PE\x00\x00" {
		return 0, fmt.Errorf("the image has %x where its PE signature should be; it is damaged", head[:4])
	}
	count := int64(binary.LittleEndian.Uint16(head[peSectionsAt:]))
	table := at + peHeaderLen + int64(binary.LittleEndian.Uint16(head[peOptionalAt:]))
	if count > peMaxSections || table+count*peSectionLen > int64(len(data)) {
		return 0, damaged
	}
	for i := range count {
		s := data[table+i*peSectionLen:]
		end := int64(binary.LittleEndian.Uint32(s[peRawPointerAt:])) + int64(binary.LittleEndian.Uint32(s[peRawSizeAt:]))
		if end > int64(len(data)) {
			return 0, fmt.Errorf("section %d of the image ends at byte %d, but the file has %d; it is truncated or damaged", i, end, len(data))
		}
	}
	return binary.LittleEndian.Uint16(head[4:]), nil
}
