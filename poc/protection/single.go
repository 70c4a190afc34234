package protection

import "github.com/mapstack/conformance/poc/probe"

// kind is a kind of memory with the prefix of its steps.
type kind struct {
	prefix string
	flags  uint64
}

// kinds are plain memory, and the same with MAP_STACK.
func (m memory) kinds() []kind {
	return []kind{{"", m.private()}, {"stack.", m.private() | m.Kernel.Map.Stack}}
}

// writeOnly observes memory that may only be written, from mmap and from mprotect.
// It writes under that protection before it reads: for MIPS CPUs without RIXI a
// write before mprotect does not count.
func (m memory) writeOnly() {
	pr := m.Kernel.Prot
	for _, kind := range m.kinds() {
		o := m.Observe(kind.prefix + "mmap")
		if addr, ok := o.Mmap(0, m.Page, pr.Write, kind.flags, -1, 0); ok {
			o.VMA("", addr).Write("write", addr).Byte("read", addr)
			m.reveal(o, addr)
		}
		o.Emit()

		o = m.Observe(kind.prefix + "mprotect")
		// The second page is used, because filled has written to the first.
		if addr, ok := m.filled(o, 2, kind.flags); ok && o.Mprotect(addr, 2*m.Page, pr.Write) {
			o.VMA("", addr).Write("write", addr+m.Page).Byte("read", addr+m.Page)
			m.reveal(o, addr+m.Page)
		}
		o.Emit()
	}
}

// executeOnly observes memory that may only be executed.
func (m memory) executeOnly() {
	pr := m.Kernel.Prot
	for _, kind := range m.kinds() {
		o := m.Observe(kind.prefix + "mmap")
		if addr, ok := o.Mmap(0, m.Page, pr.Exec, kind.flags, -1, 0); ok {
			o.VMA("", addr).Write("write", addr)
			// A page that was read is the page of zeroes. It stays as it is, because Linux
			// 6.1 on MIPS frees that page after an mprotect (PR-107).
			if o.Reads("read", addr) {
				o.Byte("content", addr)
			} else {
				m.reveal(o, addr)
			}
		}
		o.Emit()

		o = m.Observe(kind.prefix + "mprotect")
		if addr, ok := m.filled(o, 1, kind.flags); ok && o.Mprotect(addr, m.Page, pr.Exec) {
			o.VMA("", addr).Write("write", addr).Byte("read", addr)
			m.reveal(o, addr)
		}
		o.Emit()
	}
}

// reveal makes a page readable and records its first byte.
func (m memory) reveal(o *probe.Obs, addr uintptr) {
	if errno := m.Kernel.Mprotect(addr, m.Page, m.rw()); errno != 0 {
		o.Unknown("content", "mprotect: "+m.Outcome(errno))
		return
	}
	o.Byte("content", addr)
}
