package threadlimits

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// kind describes one kind of mapping.
type kind struct {
	name        string
	prot, flags uint64
}

// kinds returns the mappings that the limits treat differently.
func kinds(p *probe.P) map[string]kind {
	m, rw := p.Kernel.Map, p.Kernel.Prot.Read|p.Kernel.Prot.Write
	private := m.Private | m.Anonymous
	all := map[string]kind{}
	for _, k := range []kind{
		{"plain", rw, private},
		{"stack", rw, private | m.Stack},
		{"growsdown", rw, private | m.GrowsDown},
		{"noreserve", rw, private | m.NoReserve},
		{"readonly", p.Kernel.Prot.Read, private},
		{"none", 0, private},
		{"none noreserve", 0, private | m.NoReserve},
		{"shared", rw, m.Shared | m.Anonymous},
	} {
		all[k.name] = k
	}
	return all
}

// try maps, touches both ends if they are writable, and unmaps.
func (k kind) try(p *probe.P, prefix string, length uintptr) {
	o := p.Observe(prefix + k.name)
	if addr, ok := o.Mmap(0, length, k.prot, k.flags, -1, 0); ok {
		if k.prot&p.Kernel.Prot.Write != 0 {
			o.Store("first", addr).Store("last", addr+length-1)
		}
		p.Kernel.Munmap(addr, length)
	}
	o.Emit()
}

// pages returns the size of n pages in bytes.
func pages(p *probe.P, n int) uintptr { return uintptr(n) * p.Page }

// occupy maps the room that a limit leaves. giveBack unmaps one page of it.
func occupy(p *probe.P, k kind) (giveBack func()) {
	o := p.Observe("room")
	addr, ok := o.Mmap(0, pages(p, room), k.prot, k.flags, -1, 0)
	o.Emit()
	return func() {
		if ok {
			p.Kernel.Munmap(addr+pages(p, room-1), p.Page)
		}
	}
}

// addressSpace reaches RLIMIT_AS page by page.
func addressSpace(p *probe.P) {
	all := kinds(p)
	c := newCrowd(p, true, 1)
	statm, err := os.ReadFile("/proc/self/statm")
	limit.Must(err)
	total, err := strconv.Atoi(strings.Fields(string(statm))[0])
	limit.Must(err)
	limit.Soft(p, "limit", "RLIMIT_AS", p.Kernel.Rlimit.AS, uint64(pages(p, total+room)))
	giveBack := occupy(p, all["none"])
	for _, name := range []string{"plain", "stack", "growsdown", "none noreserve", "readonly", "shared"} {
		all[name].try(p, "", p.Page)
	}
	c.one(p, "clone")
	giveBack()
	all["plain"].try(p, "again.", p.Page)
}

// data reaches RLIMIT_DATA page by page.
func data(p *probe.P) {
	all := kinds(p)
	c := newCrowd(p, true, 1)
	// This page is made writable later. It would then count as data.
	none, errno := p.Kernel.Mmap(0, p.Page, 0, all["none"].flags, -1, 0)
	if errno != 0 {
		panic(errno)
	}
	now := limit.MustNumber(limit.Self, "VmData") << 10 / int(p.Page)
	limit.Soft(p, "limit", "RLIMIT_DATA", p.Kernel.Rlimit.Data, uint64(pages(p, now+room)))
	giveBack := occupy(p, all["plain"])
	for _, name := range []string{"plain", "stack", "noreserve", "growsdown", "readonly", "none", "shared"} {
		all[name].try(p, "", p.Page)
	}
	o := p.Observe("mprotect")
	o.Mprotect(none, p.Page, p.Kernel.Prot.Read|p.Kernel.Prot.Write)
	o.Emit()
	c.one(p, "clone")
	giveBack()
	all["plain"].try(p, "again.", p.Page)
}

// stackLimit sets a small RLIMIT_STACK and makes larger stacks.
func stackLimit(p *probe.P) {
	const small, large = 16, 8 << 20 // pages, bytes
	limit.Soft(p, "limit", "RLIMIT_STACK", p.Kernel.Rlimit.Stack, uint64(pages(p, small)))
	all := kinds(p)
	all["stack"].try(p, "", large)
	all["growsdown"].try(p, "", large)
	newCrowd(p, true, 1).one(p, "clone")
	before := limit.MustNumber(limit.Self, "Threads")
	startThreads(most)
	p.Observe("threads").Set("started", most).Set("before", before).Set("after", limit.MustNumber(limit.Self, "Threads")).Emit()
}

// numbers sets each limit to a value that no other limit has, and finds it in
// /proc/self/limits.
func numbers(p *probe.P) {
	for i, c := range p.Kernel.Rlimit.Named() {
		if !strings.HasPrefix(c.Name, "RLIMIT_") {
			continue
		}
		o := p.Observe(c.Name)
		var l sys.Rlimit
		if errno := p.Kernel.Prlimit64(c.Value, nil, &l); errno != 0 {
			o.Returned(fmt.Sprintf("prlimit64(%d)", c.Value), 0, errno)
			o.Emit()
			continue
		}
		// The hard limit is not changed, because it could not be raised again.
		l.Current = 1<<40 + uint64(i)<<16
		if l.Current >= l.Max {
			l.Current = l.Max - 1 - uint64(i)
		}
		if l.Max <= uint64(i) {
			o.Unknown("lines", fmt.Sprintf("the hard limit of %d leaves no value of its own", l.Max)).Emit()
			continue
		}
		o.Returned(fmt.Sprintf("prlimit64(%d, %d)", c.Value, l.Current), 0, p.Kernel.Prlimit64(c.Value, &l, nil))
		o.Set("lines", strings.Join(linesWith(l.Current), ", ")).Emit()
	}
}

// linesWith returns the names of the limits that /proc/self/limits shows with a
// soft limit of this value.
func linesWith(value uint64) (names []string) {
	b, err := os.ReadFile("/proc/self/limits")
	limit.Must(err)
	const nameWidth = 26 // "%-25s %-20s" in fs/proc/base.c
	for _, line := range strings.Split(string(b), "\n") {
		if len(line) < nameWidth {
			continue
		}
		f := strings.Fields(line[nameWidth:])
		if len(f) > 0 && f[0] == strconv.FormatUint(value, 10) {
			names = append(names, strings.TrimSpace(line[:nameWidth]))
		}
	}
	return names
}
