// Package mapstack observes mappings with MAP_STACK beside the same mappings
// without it. It shows what mmap returns, how the kernel then describes the
// mapping, and what touching the memory does.
package mapstack

import (
	"fmt"
	"os"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

// Main runs the probe.
func Main() {
	probe.Run(func(p *probe.P) {
		m := mapper{p}
		m.sizes()
		p.Observe("unprivileged").Copy(probe.Copy{Name: "unprivileged", UID: 65534, Body: unprivileged}).Emit()
		m.comparison()
		m.merging()
		m.files()
		m.protections("prot", m.stack())
		m.protections("prot.plain", m.plain())
		m.types()
		m.hugePageAdvice()
		m.growth()
		m.combinations()
		m.otherNumbers()
		m.access()
		m.mprotects("mprotect", m.stack())
		m.mprotects("mprotect.plain", m.plain())
		m.deaths()
		m.glibcStack()
		m.muslStack()
		m.dontNeed()
		m.guardRegion()
		m.olderGlibcStack()
		m.residency()
		m.remaps()
		m.forks()
		m.hugePages()
		m.execution()
		p.Observe("lockall").Copy(probe.Copy{Name: "lockall", Body: func(p *probe.P) { mapper{p}.lockAll() }}).Emit()
		p.Observe("implied").Copy(probe.Copy{Name: "implied", Body: func(p *probe.P) { mapper{p}.impliedExec() }}).Emit()
		p.Observe("mdwe").Copy(probe.Copy{Name: "mdwe", Body: func(p *probe.P) { mapper{p}.denyWriteExec() }}).Emit()
		m.goNames()
		m.highHint()
	}, map[string]func(*probe.P){
		"unprivileged": unprivileged,
		"access":       func(p *probe.P) { mapper{p}.dieByAccess(p.Args) },
		"implied":      func(p *probe.P) { mapper{p}.impliedExec() },
		"run":          func(p *probe.P) { mapper{p}.run(p.Args) },
		"lockall":      func(p *probe.P) { mapper{p}.lockAll() },
		"names":        func(p *probe.P) { mapper{p}.stackNames() },
		"mdwe":         func(p *probe.P) { mapper{p}.denyWriteExec() },
	})
}

// unprivileged makes the first mappings as a user.
func unprivileged(p *probe.P) {
	o := p.Observe("who").Set("uid", os.Getuid())
	capabilities(o)
	o.Emit()
	mapper{p}.sizes()
}

// mapper makes the mappings of all steps.
type mapper struct{ *probe.P }

// rw, plain and stack are the protection and the flags of most steps.
func (m mapper) rw() uint64    { return m.Kernel.Prot.Read | m.Kernel.Prot.Write }
func (m mapper) plain() uint64 { return m.Kernel.Map.Private | m.Kernel.Map.Anonymous }
func (m mapper) stack() uint64 { return m.plain() | m.Kernel.Map.Stack }

// kind is how a mapping is made: without MAP_STACK as the control, or with it.
type kind struct {
	name  string
	flags uint64
}

func (m mapper) kinds() []kind { return []kind{{"plain", m.plain()}, {"stack", m.stack()}} }

// failure describes a call that failed while a step was prepared.
func (m mapper) failure(call string, errno syscall.Errno) string {
	return fmt.Sprintf("%s: errno %d %s", call, int(errno), m.Kernel.ErrnoName(int(errno)))
}

// release unmaps what a step mapped. It ignores errors: some steps observe munmap
// itself, and elsewhere a failure shows in the steps that follow. Huge pages are
// unmapped as a whole, because munmap refuses to split one.
func (m mapper) release(addr uintptr, length uintptr) {
	if m.Kernel.Munmap(addr, length) == 0 {
		return
	}
	if v, ok, err := probe.Lookup(addr); err == nil && ok && v.Start == addr {
		m.Kernel.Munmap(v.Start, v.End-v.Start)
	}
}
