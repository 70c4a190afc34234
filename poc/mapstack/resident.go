package mapstack

import "github.com/mapstack/conformance/poc/probe"

// residency writes one byte in the middle of a thread's stack and observes how much memory
// the stack takes, before and after. Most of 8 MiB can be made of huge pages there.
func (m mapper) residency() {
	const length = 8 << 20
	for _, kind := range m.kinds() {
		o := m.Observe("resident." + kind.name)
		addr, ok := o.Mmap(0, length, m.rw(), kind.flags, -1, 0)
		if !ok {
			o.Emit()
			continue
		}
		// Pages without access at both ends keep the kernel from merging the stack with a
		// neighbour, whose memory Rss would count too.
		first, last := addr+m.Page, addr+length-m.Page
		if errno := m.Kernel.Mprotect(addr, m.Page, 0); errno != 0 {
			o.Unknown("guard", m.failure("mprotect", errno))
		}
		if errno := m.Kernel.Mprotect(last, m.Page, 0); errno != 0 {
			o.Unknown("guard", m.failure("mprotect", errno))
		}
		pages := int((last - first) / m.Page)
		o.VMA("", first).Resident("before", first, pages)
		rss(o, "before.rss", first)
		o.Store("store", addr+length/2).Resident("after", first, pages)
		rss(o, "after.rss", first)
		o.Emit()
		m.release(addr, length)
	}
}

// rss records the Rss of smaps of the mapping that contains addr, such as "4 kB".
func rss(o *probe.Obs, key string, addr uintptr) {
	v, _, err := probe.Lookup(addr)
	value, told := v.Fields["Rss"]
	switch {
	case err != nil:
		o.Unknown(key, err.Error())
	case !told:
		o.Unknown(key, "smaps has no Rss")
	default:
		o.Set(key, value)
	}
}
