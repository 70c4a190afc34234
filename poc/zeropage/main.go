// Package zeropage observes who owns a page that was only read. Until somebody
// writes, it is the zero page that all programs share. A kernel that takes it for
// the program's own frees it in the end, and corrupts everything else in the guest.
// So this is a separate probe.
package zeropage

import (
	"github.com/mapstack/conformance/poc/probe"
)

// resident is the line of smaps that counts a mapping's own pages, without the
// shared zero page.
const resident = "Rss"

// Main runs the probe.
func Main() {
	probe.Run(func(p *probe.P) {
		m, prot := p.Kernel.Map, p.Kernel.Prot
		// The page is between two inaccessible ones, so that it stays a separate
		// mapping.
		around, errno := p.Kernel.Mmap(0, 3*p.Page, 0, m.Private|m.Anonymous, -1, 0)
		at := around + p.Page
		if errno == 0 {
			_, errno = p.Kernel.Mmap(at, p.Page, prot.Read, m.Private|m.Anonymous|m.Fixed, -1, 0)
		}
		if errno != 0 {
			panic(errno)
		}
		o := p.Observe("read").Byte("first", at)
		count(o, at)
		o.Emit()

		p.Sync()
		o = p.Observe("mprotect")
		errno = p.Kernel.Mprotect(at, p.Page, prot.Read|prot.Write)
		if o.Returned("mprotect(read|write)", 0, errno) {
			count(o, at)
		}
		o.Emit()
		p.Sync() // the end of this program may be the end of the guest
	}, nil)
}

// count records how much of a mapping belongs to the program.
func count(o *probe.Obs, at uintptr) {
	v, ok, err := probe.Lookup(at)
	switch own, told := v.Fields[resident]; {
	case err != nil:
		o.Unknown(resident, err.Error())
	case !ok || !told:
		o.Unknown(resident, "smaps does not tell it")
	default:
		o.Set("perms", v.Perms).Set(resident, own)
	}
}
