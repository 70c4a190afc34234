package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// entersPVH reports whether QEMU can start an amd64 vmlinux directly. For that the kernel
// needs the PVH entry, which an ELF note names, and code behind it that works outside Xen.
// Linux 4.11 brought the note with an entry for Xen alone (CONFIG_XEN_PVH). Linux 5.0
// brought the entry for every hypervisor (CONFIG_PVH, arch/x86/platform/pvh). The kernel is
// asked and not its version: if it can be a guest of Xen (CONFIG_XEN), it must have the
// message of the entry for every hypervisor. If it cannot, its entry is no entry for Xen
// alone, and the message is left out.
func entersPVH(f *elf.File, data []byte) bool {
	if !hasNote(f, "Xen", xenPhys32Entry) {
		return false
	}
	return !hasNote(f, "Xen", xenGuestOS) || bytes.Contains(data, []byte("Missing xen PVH initialization"))
}

// Types of notes, from include/xen/interface/elfnote.h.
const (
	xenGuestOS     = 6  // XEN_ELFNOTE_GUEST_OS: every kernel with CONFIG_XEN has it
	xenPhys32Entry = 18 // XEN_ELFNOTE_PHYS32_ENTRY
)

// maxNotes bounds the notes that are read of one segment, in bytes. Debian's kernels have
// about 500.
const maxNotes = 1 << 20

// hasNote reports whether a file has an ELF note of that owner and type.
func hasNote(f *elf.File, owner string, kind uint32) bool {
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE || p.Filesz > maxNotes {
			continue
		}
		notes := make([]byte, p.Filesz)
		if _, err := p.ReadAt(notes, 0); err != nil {
			continue
		}
		if noteIn(notes, f.ByteOrder, owner, kind) {
			return true
		}
	}
	return false
}

// noteIn looks for a note in a segment: each has the sizes of its name and description, its
// type, the name and the description, both padded to four bytes (elf(5)).
func noteIn(notes []byte, order binary.ByteOrder, owner string, kind uint32) bool {
	const head = 12
	for len(notes) >= head {
		name, desc, got := uint64(order.Uint32(notes)), uint64(order.Uint32(notes[4:])), order.Uint32(notes[8:])
		notes = notes[head:]
		size := padded(name) + padded(desc)
		if size > uint64(len(notes)) {
			return false
		}
		if got == kind && string(bytes.TrimRight(notes[:name], "\x00")) == owner {
			return true
		}
		notes = notes[size:]
	}
	return false
}

func padded(n uint64) uint64 { return (n + 3) &^ 3 }
