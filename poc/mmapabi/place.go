package mmapabi

import "math"

// basics observes that the number is mmap's, and that its six arguments arrive in
// the right places.
func (m memory) basics() {
	o := m.Observe("mmap")
	addr, ok := o.Mmap(0, 2*m.Page, m.rw(), m.private(), -1, 0)
	if ok {
		o.Store("first", addr).Store("last", addr+2*m.Page-1)
	}
	o.Emit()
	if ok {
		m.Kernel.Munmap(addr, 2*m.Page)
	}
	o = m.Observe("munmap")
	// The neighbours stay, so that no other thread of the runtime maps memory in between.
	if addr, errno := m.Kernel.Mmap(0, 4*m.Page, m.rw(), m.private(), -1, 0); errno != 0 {
		o.Unknown("after", "map memory: "+m.Outcome(errno))
	} else {
		poke(addr+m.Page, 1)
		o.Munmap(addr+m.Page, 2*m.Page)
		o.Read("after", addr+m.Page)
		m.Kernel.Munmap(addr, 4*m.Page)
	}
	o.Emit()
	// Shared, because private neighbours merge, which hides the end of the mapping.
	o = m.Observe("one byte")
	if addr, ok := o.Mmap(0, 1, m.rw(), m.Kernel.Map.Shared|m.Kernel.Map.Anonymous, -1, 0); ok {
		o.VMA("", addr)
		m.Kernel.Munmap(addr, m.Page)
	}
	o.Emit()
	m.withFile("offset", func(fd int) {
		o := m.Observe("offset")
		defer o.Emit()
		// One mapping fills both pages: the first holds 1, the second 2.
		w, errno := m.Kernel.Mmap(0, 2*m.Page, m.rw(), m.Kernel.Map.Shared, fd, 0)
		if errno != 0 {
			o.Unknown("byte", "fill the file: "+m.Outcome(errno))
			return
		}
		poke(w, 1)
		poke(w+m.Page, 2)
		m.Kernel.Munmap(w, 2*m.Page)
		if addr, ok := o.Mmap(0, m.Page, m.Kernel.Prot.Read, m.Kernel.Map.Shared, fd, int64(m.Page)); ok {
			o.Byte("byte", addr).Write("write", addr)
			m.Kernel.Munmap(addr, m.Page)
		}
	})
}

// fixed observes whether an address is used as it is, only if free, or as a hint.
func (m memory) fixed() {
	k := m.Kernel.Map
	hole, err := m.hole(8)
	if err != nil {
		m.Observe("fixed").Unknown("hole", err.Error()).Emit()
		return
	}
	at := hole + 4*m.Page

	o := m.Observe("noreplace free")
	o.Set("asked", at)
	got, ok := o.Mmap(at, m.Page, m.rw(), m.private()|k.FixedNoReplace, -1, 0)
	if ok {
		o.Store("store", got)
	}
	o.Emit()
	if !ok || got != at {
		return // the memory at that address belongs to somebody else
	}
	for _, step := range []struct {
		name  string
		addr  uintptr
		flags uint64
	}{
		{"noreplace occupied", at, k.FixedNoReplace},
		{"noreplace and fixed occupied", at, k.FixedNoReplace | k.Fixed},
		{"noreplace unaligned", at + 1, k.FixedNoReplace},
		{"fixed unaligned", at + 1, k.Fixed},
	} {
		o := m.Observe(step.name)
		o.Mmap(step.addr, m.Page, m.rw(), m.private()|step.flags, -1, 0)
		o.Byte("kept", at).Emit()
	}
	for _, step := range []struct {
		name string
		addr uintptr
	}{
		{"hint occupied", at}, {"hint unaligned", at + 1},
	} {
		o := m.Observe(step.name)
		o.Set("asked", step.addr)
		if addr, ok := o.Mmap(step.addr, m.Page, m.rw(), m.private(), -1, 0); ok {
			o.Set("aligned", addr%m.Page == 0)
			m.Kernel.Munmap(addr, m.Page)
		}
		o.Byte("kept", at).Emit()
	}

	o = m.Observe("fixed occupied")
	o.Set("asked", at)
	o.Byte("before", at)
	o.Mmap(at, m.Page, m.rw(), m.private()|k.Fixed, -1, 0)
	o.Byte("after", at).Emit()
	m.Kernel.Munmap(at, m.Page)
}

// arguments observes lengths and offsets that mmap must refuse.
func (m memory) arguments() {
	for _, step := range []struct {
		name   string
		length uintptr
		offset int64
	}{
		{"length 0", 0, 0},
		{"length 2^64-1", math.MaxUint64, 0},
		{"length 2^63", 1 << 63, 0},
	} {
		o := m.Observe(step.name)
		if addr, ok := o.Mmap(0, step.length, m.rw(), m.private(), -1, step.offset); ok {
			m.Kernel.Munmap(addr, step.length)
		}
		o.Emit()
	}
	m.withFile("offset unaligned", func(fd int) {
		o := m.Observe("offset unaligned")
		if addr, ok := o.Mmap(0, m.Page, m.rw(), m.Kernel.Map.Private, fd, 1); ok {
			m.Kernel.Munmap(addr, m.Page)
		}
		o.Emit()
	})
}
