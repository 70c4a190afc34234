// Command mapstack observes mappings made with MAP_STACK, beside the same
// mappings without it: what mmap answers, what the kernel then says of the
// mapping, and what touching the memory does.
package main

import (
	"fmt"
	"os"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

func main() {
	probe.Run(func(p *probe.P) {
		m := mapper{p}
		m.sizes()
		p.Observe("unprivileged").Child(probe.Child{Name: "unprivileged", UID: 65534}).Emit()
		m.comparison()
		m.merging()
		m.files()
		m.protections()
		m.types()
		m.hugePageAdvice()
		m.growth()
		m.combinations()
		m.otherNumbers()
		m.access()
		m.mprotects()
		m.deaths()
		m.glibcStack()
		m.muslStack()
		m.dontNeed()
		m.guardRegion()
		p.Observe("implied").Child(probe.Child{Name: "implied"}).Emit()
		p.Observe("mdwe").Child(probe.Child{Name: "mdwe"}).Emit()
	}, map[string]func(*probe.P){
		"unprivileged": func(p *probe.P) {
			o := p.Observe("who").Set("uid", os.Getuid())
			capabilities(o)
			o.Emit()
			mapper{p}.sizes()
		},
		"access":  func(p *probe.P) { mapper{p}.dieByAccess(p.Args) },
		"implied": func(p *probe.P) { mapper{p}.impliedExec() },
		"mdwe":    func(p *probe.P) { mapper{p}.denyWriteExec() },
	})
}

// mapper makes the mappings.
type mapper struct{ *probe.P }

// rw and the like are what the steps ask for most.
func (m mapper) rw() uint64    { return m.Kernel.Prot.Read | m.Kernel.Prot.Write }
func (m mapper) plain() uint64 { return m.Kernel.Map.Private | m.Kernel.Map.Anonymous }
func (m mapper) stack() uint64 { return m.plain() | m.Kernel.Map.Stack }

// failure is why a step could not be prepared.
func (m mapper) failure(call string, errno syscall.Errno) string {
	return fmt.Sprintf("%s: errno %d %s", call, int(errno), m.Kernel.ErrnoName(int(errno)))
}

// release gives back what a step mapped; that it works is some steps' subject,
// and elsewhere a failure would show in the steps that follow.
func (m mapper) release(addr uintptr, length uintptr) { m.Kernel.Munmap(addr, length) }
