package mapstack

import (
	"fmt"

	"github.com/mapstack/conformance/poc/probe"
)

// access reads and writes memory of each protection that means the same on every
// CPU, with MAP_STACK and without. Write-only and execute-only memory is left out:
// reading it depends on the CPU. On MIPS without RIXI the read never returns.
func (m mapper) access() {
	pr := m.Kernel.Prot
	for _, kind := range []struct {
		name  string
		flags uint64
	}{
		{"plain", m.plain()}, {"stack", m.stack()},
	} {
		for _, prot := range []uint64{0, pr.Read, pr.Read | pr.Write, pr.Read | pr.Exec, pr.Read | pr.Write | pr.Exec} {
			o := m.Observe(fmt.Sprintf("access.%s.%d", kind.name, prot))
			addr, ok := o.Mmap(0, 4*m.Page, prot, kind.flags, -1, 0)
			if ok {
				o.Read("read.first", addr).Write("write.first", addr)
				o.Read("read.last", addr+4*m.Page-1).Write("write.last", addr+4*m.Page-1)
				m.release(addr, 4*m.Page)
			}
			o.Emit()
		}
	}
}

// mprotects changes the protection of one mapping several times.
func (m mapper) mprotects(step string, flags uint64) {
	pr := m.Kernel.Prot
	o := m.Observe(step + ".map")
	addr, ok := o.Mmap(0, 4*m.Page, 0, flags, -1, 0)
	if ok {
		o.VMA("", addr)
	}
	o.Emit()
	if !ok {
		return
	}
	defer m.release(addr, 4*m.Page)
	for i, prot := range []uint64{
		pr.Read, pr.Read | pr.Write, pr.Read | pr.Exec, pr.Read | pr.Write | pr.Exec,
		pr.Write, pr.Exec, pr.Read | pr.Write,
	} {
		o := m.Observe(fmt.Sprintf("%s.%d", step, i))
		o.Mprotect(addr, 4*m.Page, prot)
		o.VMA("", addr)
		// Every CPU can use readable and writable memory.
		if prot == m.rw() {
			o.Store("first", addr).Store("last", addr+4*m.Page-1)
		}
		o.Emit()
	}
}

// deaths makes children die by each kind of bad access. Their stderr shows the code
// that the kernel gave the signal.
func (m mapper) deaths() {
	for _, how := range []string{"none", "readonly", "unmapped"} {
		m.Observe("death." + how).Copy(probe.Copy{Name: "access", Args: []string{how}, Body: func(p *probe.P) { mapper{p}.dieByAccess(p.Args) }}).Emit()
	}
}

// dieByAccess is the child of deaths. It maps with MAP_STACK.
func (m mapper) dieByAccess(args []string) {
	how := ""
	if len(args) == 1 {
		how = args[0]
	}
	prot := m.rw()
	switch how {
	case "none":
		prot = 0
	case "readonly":
		prot = m.Kernel.Prot.Read
	}
	o := m.Observe("map")
	addr, ok := o.Mmap(0, 4*m.Page, prot, m.stack(), -1, 0)
	o.Emit()
	if !ok {
		return
	}
	if how == "unmapped" {
		// One page is unmapped at the last moment: the Go runtime maps nothing that
		// small.
		m.release(addr+m.Page, m.Page)
	}
	probe.Poke(addr + m.Page)
}
