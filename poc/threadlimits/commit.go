package threadlimits

import (
	"fmt"
	"strconv"
	"syscall"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

const kib = 1 << 10

// goThread holds the flags with which the Go runtime makes a thread
// (runtime/os_linux.go).
const goThread = 0x50f00

// overcommit maps more than there is, under each value of vm.overcommit_memory.
func overcommit(p *probe.P) {
	s := limit.MustOpen("vm/overcommit_memory")
	defer s.Restore()
	// The heuristic begins to refuse at the size of memory and swap together.
	total := uintptr(limit.MustNumber("/proc/meminfo", "MemTotal")+limit.MustNumber("/proc/meminfo", "SwapTotal")) * kib
	p.Observe("size").Set("bytes", total).Emit()
	all := kinds(p)
	private := []string{"plain", "stack", "growsdown", "noreserve", "readonly", "none"}
	for _, mode := range []string{"0", "1", "2"} {
		if mode == "2" {
			halfOfMemory()
		}
		s.Wrote(p, mode, mode, s.Set([]byte(mode))).Emit()
		if mode == "0" {
			all["plain"].mapOnly(p, "0.fits.", total)
		}
		for _, name := range private {
			all[name].mapOnly(p, mode+".", total+p.Page)
		}
	}
	o := p.Observe("2.mprotect")
	addr, errno := p.Kernel.Mmap(0, total, 0, all["none"].flags, -1, 0)
	if errno != 0 {
		panic(errno)
	}
	o.Mprotect(addr, total, p.Kernel.Prot.Read|p.Kernel.Prot.Write)
	o.Emit()
	p.Kernel.Munmap(addr, total)
	forkUnderStrictCommit(p, all["plain"])
}

// commitLimit returns the sysctl that sets the commit limit. Each of the two sets the
// other to 0, so that only this one can be restored.
func commitLimit() string {
	const kbytes = "vm/overcommit_kbytes"
	if s, err := limit.Open(kbytes); err == nil && s.Was() != "0" {
		return kbytes
	}
	return "vm/overcommit_ratio"
}

// halfOfMemory makes the commit limit half of memory, with swap. A system may allow
// more than all memory, and then what is larger than memory would be granted.
func halfOfMemory() {
	if errno := limit.MustOpen("vm/overcommit_ratio").Set([]byte("50")); errno != 0 {
		panic(errno)
	}
}

// mapOnly maps and unmaps. Nothing is touched, because that could use up the
// machine's memory.
func (k kind) mapOnly(p *probe.P, prefix string, length uintptr) {
	o := p.Observe(prefix + k.name)
	if addr, ok := o.Mmap(0, length, k.prot, k.flags, -1, 0); ok {
		p.Kernel.Munmap(addr, length)
	}
	o.Emit()
}

// forkUnderStrictCommit commits three quarters of what may be committed, and then
// forks, which commits as much again. It raises the limit above the needs of a
// small process; nobody touches that memory.
func forkUnderStrictCommit(p *probe.P, k kind) {
	const left = 1 << 20 // KiB
	c := newCrowd(p, true, 1)
	// This much is kept from a process as large as this one, even if it is root's.
	kept, err := strconv.Atoi(limit.MustOpen("vm/user_reserve_kbytes").Value())
	limit.Must(err)
	allowed := strconv.Itoa(limit.MustNumber("/proc/meminfo", "Committed_AS") + kept + left)
	kbytes := limit.MustOpen("vm/overcommit_kbytes")
	kbytes.Wrote(p, "2.limit", allowed, kbytes.Set([]byte(allowed))).Emit()
	const length = left / 4 * 3 * kib
	o := p.Observe("2.most")
	addr, ok := o.Mmap(0, length, k.prot, k.flags, -1, 0)
	o.Emit()
	if !ok {
		return
	}
	c.one(p, "2.fork")
	onThread(func() {
		o := p.Observe("2.thread")
		// The thread asks for its ID and ends.
		tid, errno, err := p.Kernel.CloneFirst(goThread, [4]uintptr{syscall.SYS_GETTID})
		limit.Must(err)
		o.Returned(fmt.Sprintf("clone(flags=%#x)", goThread), uintptr(tid), errno)
		o.Emit()
	})
	before := limit.MustNumber(limit.Self, "Threads")
	stop := startThreads(most)
	p.Observe("2.threads").Set("started", most).Set("before", before).Set("after", limit.MustNumber(limit.Self, "Threads")).Emit()
	stop()
	p.Kernel.Munmap(addr, length)
	c.one(p, "2.fork.again")
}

// mapCount lowers vm.max_map_count and makes mappings that cannot merge.
func mapCount(p *probe.P) {
	s := limit.MustOpen("vm/max_map_count")
	defer s.Restore()
	const spare = 64
	all := kinds(p)
	next := func(i int) (uintptr, bool) {
		k := all[[]string{"none", "readonly"}[i%2]]
		addr, errno := p.Kernel.Mmap(0, p.Page, k.prot, k.flags, -1, 0)
		return addr, errno == 0
	}
	whole, errno := p.Kernel.Mmap(0, pages(p, 3), all["plain"].prot, all["plain"].flags, -1, 0)
	if errno != 0 {
		panic(errno)
	}
	before := limit.Mappings()
	max := before + spare
	value := strconv.Itoa(max)
	s.Wrote(p, "set", value, s.Set([]byte(value))).Set("max", max).Set("before", before).Emit()
	made, last := 0, uintptr(0)
	for ; made < 2*spare; made++ {
		addr, ok := next(made)
		if !ok {
			break
		}
		last = addr
	}
	o := p.Observe("refused").Set("made", made).Set("max", max).Set("mappings", limit.Mappings())
	o.Mmap(0, p.Page, all["plain"].prot, all["plain"].flags, -1, 0)
	o.Emit()
	o = p.Observe("split")
	o.Mprotect(whole+p.Page, p.Page, p.Kernel.Prot.Read)
	o.Store("middle", whole+p.Page).Emit()
	p.Kernel.Munmap(last, p.Page)
	o = p.Observe("again").Set("mappings", limit.Mappings())
	o.Mmap(0, p.Page, all["noreserve"].prot, all["noreserve"].flags, -1, 0)
	o.Emit()
	o = p.Observe("full").Set("mappings", limit.Mappings())
	o.Mmap(0, p.Page, all["none"].prot, all["none"].flags, -1, 0)
	o.Emit()
	s.Restore()
	o = p.Observe("recovered")
	o.Mprotect(whole+p.Page, p.Page, p.Kernel.Prot.Read)
	o.Write("middle", whole+p.Page).Emit()
}
