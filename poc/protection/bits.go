package protection

import "fmt"

// Bits 0 to 2 are the protections. lastBit is the last of an int, which mmap(2) and
// mprotect(2) take.
const firstBit, lastBit = 3, 31

// unknownBits observes the bits that have no name on this architecture, combined
// with valid protections.
func (m memory) unknownBits() {
	named := uint64(0)
	for _, c := range m.Kernel.Prot.Named() {
		named |= c.Value
	}
	mapped, changed := m.Observe("unknown bits in mmap"), m.Observe("unknown bits in mprotect")
	for n := uint(firstBit); n <= lastBit; n++ {
		bit := uint64(1) << n
		if named&bit != 0 {
			continue
		}
		key := fmt.Sprintf("%#x", bit)
		addr, errno := m.Kernel.Mmap(0, m.Page, m.rw()|bit, m.private(), -1, 0)
		mapped.Set(key, m.Outcome(errno))
		if errno == 0 {
			mapped.Store(key+" store", addr)
			m.Kernel.Munmap(addr, m.Page)
		}
		addr, errno = m.Kernel.Mmap(0, m.Page, m.rw(), m.private(), -1, 0)
		if errno != 0 {
			changed.Unknown(key, "mmap: "+m.Outcome(errno))
			continue
		}
		changed.Set(key, m.Outcome(m.Kernel.Mprotect(addr, m.Page, m.Kernel.Prot.Read|bit)))
		// If the bit was accepted, the page can now only be read.
		changed.Store(key+" store", addr)
		m.Kernel.Munmap(addr, m.Page)
	}
	mapped.Emit()
	changed.Emit()
}

// optionalBits observes bits that have a name on this architecture: PROT_SEM, which
// nothing checks, and those that depend on the CPU.
func (m memory) optionalBits() {
	pr := m.Kernel.Prot
	for _, bit := range []struct {
		name  string
		value uint64
	}{
		{"sem", pr.Sem}, {"bti", pr.BTI}, {"mte", pr.MTE},
	} {
		if bit.value == 0 {
			continue
		}
		o := m.Observe(bit.name + " in mmap")
		if addr, ok := o.Mmap(0, m.Page, m.rw()|bit.value, m.private(), -1, 0); ok {
			o.VMA("", addr).Store("store", addr)
			m.Kernel.Munmap(addr, m.Page)
		}
		o.Emit()
		o = m.Observe(bit.name + " in mprotect")
		if addr, ok := m.filled(o, 1, m.private()); ok {
			o.Mprotect(addr, m.Page, m.rw()|bit.value)
			o.VMA("", addr).Store("store", addr)
			m.Kernel.Munmap(addr, m.Page)
		}
		o.Emit()
	}
}
