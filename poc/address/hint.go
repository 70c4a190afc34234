package address

import "github.com/mapstack/conformance/poc/probe"

const (
	// quiet is far from everything. It is above programs, below the kernel's own
	// choices, and below the heap of the Go runtime (2^38 and up).
	quiet = 1 << 36
	// low is still above the programs, which end below 2^25.
	low = 1 << 30
	// hintPages is the length of the mappings in pages.
	hintPages = 4
)

// hints observes hints at free and at occupied addresses.
func (m placer) hints() {
	m.hint("hint free", quiet)
	m.hint("hint free below 2^31", low)

	neighbour, errno := m.Kernel.Mmap(quiet, hintPages*m.Page, m.rw(), m.private()|m.Kernel.Map.FixedNoReplace, -1, 0)
	if errno != 0 {
		m.Observe("neighbour").Unknown("mapped", "map a neighbour: "+m.outcome(errno)).Emit()
		return
	}
	end := neighbour + hintPages*m.Page
	m.hint("hint free just above a mapping", end)
	m.hint("hint free just below a mapping", neighbour-hintPages*m.Page)
	m.Observe("neighbour").Set("start", neighbour).Set("end", end).Store("store", neighbour).Store("last", end-1).Emit()
	m.hint("hint occupied", neighbour)
	m.hint("hint occupied at its end", neighbour-(hintPages-1)*m.Page)
	m.hint("hint occupied at its start", end-m.Page)
	m.Observe("neighbour afterwards").Byte("first", neighbour).Byte("last", end-1).Emit()
	m.Kernel.Munmap(neighbour, hintPages*m.Page)
}

// hint maps with a hint, stores to both ends of the mapping, and unmaps it.
func (m placer) hint(step string, at uintptr) {
	o := m.Observe(step)
	o.Set("asked", at).Set("length", hintPages*m.Page)
	if free, known := m.free(o, at, hintPages*m.Page); known {
		o.Set("free", free)
	}
	if addr, ok := o.Mmap(at, hintPages*m.Page, m.rw(), m.private(), -1, 0); ok {
		o.Store("first", addr).Store("last", addr+hintPages*m.Page-1)
		m.Kernel.Munmap(addr, hintPages*m.Page)
	}
	o.Emit()
}

// free reports whether nothing is mapped in a range. If that is not known, it
// records the reason under "free".
func (m placer) free(o *probe.Obs, at, length uintptr) (free, known bool) {
	mapped, err := probe.Layout()
	if err != nil {
		o.Unknown("free", err.Error())
		return false, false
	}
	for _, v := range mapped {
		if v.Start < at+length && at < v.End {
			return false, true
		}
	}
	return true, true
}
