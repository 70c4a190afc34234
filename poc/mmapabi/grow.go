package mmapabi

import (
	"os"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// gapPages is the default stack_guard_gap, 256 pages (mm/mmap.c).
const gapPages = 256

// growth observes a MAP_GROWSDOWN mapping that is touched below its start. It runs
// in a child with RLIMIT_STACK raised: 100 pages of 64 KiB are nearly the usual 8
// MiB, and 256 are more.
func growth(p *probe.P) {
	m := survey(p)
	o := m.Observe("limit")
	unlimited := sys.Rlimit{Current: ^uint64(0), Max: ^uint64(0)}
	o.Returned("prlimit64(RLIMIT_STACK, infinity)", 0, m.Kernel.Prlimit64(m.Kernel.Rlimit.Stack, &unlimited, nil))
	o.Emit()

	for _, step := range []struct {
		name  string
		pages uintptr // below the mapping
	}{
		{"1 page", 1}, {"100 pages", 100},
	} {
		m.growing(step.name, func(o *probe.Obs, start uintptr) {
			below := start - step.pages*m.Page
			o.Set("touched", below).Store("store", below).VMA("", below)
		})
	}

	rw, none := m.rw(), uint64(0)
	for _, step := range []struct {
		name     string
		prot     uint64 // of the obstacle
		distance uintptr
	}{
		{"at the gap", rw, gapPages},
		{"inside the gap", rw, gapPages - 1},
		{"next to an inaccessible page", none, 1},
	} {
		m.growing(step.name, func(o *probe.Obs, start uintptr) {
			obstacle := start - (gapPages+64)*m.Page
			if !m.obstacle(o, obstacle, step.prot) {
				return
			}
			// The distance is from the end of the obstacle to the page with which the
			// mapping would begin.
			o.Write("touch", obstacle+m.Page+step.distance*m.Page)
			m.Kernel.Munmap(obstacle, m.Page)
		})
	}

	for _, step := range []struct {
		name     string
		distance uintptr
	}{
		{"hint inside the gap", 0}, {"hint at the gap", gapPages},
	} {
		m.growing(step.name, func(o *probe.Obs, start uintptr) {
			hint := start - (step.distance+1)*m.Page
			o.Set("asked", hint)
			if addr, ok := o.Mmap(hint, m.Page, rw, m.private(), -1, 0); ok {
				m.Kernel.Munmap(addr, m.Page)
			}
		})
	}
}

// limitPages is RLIMIT_STACK in full, in pages.
const limitPages = 64

// full observes RLIMIT_STACK with mappings that are longer from the start, and with
// one that grows to the limit. A last touch beyond the limit ends the child.
func full(p *probe.P) {
	m := survey(p)
	o := m.Observe("limit")
	limit := sys.Rlimit{Current: uint64(limitPages * m.Page), Max: uint64(limitPages * m.Page)}
	ok := o.Returned("prlimit64(RLIMIT_STACK)", 0, m.Kernel.Prlimit64(m.Kernel.Rlimit.Stack, &limit, nil))
	o.Emit()
	if !ok {
		return
	}
	for _, step := range []struct {
		name string
		flag uint64
	}{
		{"longer stack", m.Kernel.Map.Stack}, {"longer growing", m.Kernel.Map.GrowsDown},
	} {
		o := m.Observe(step.name)
		if addr, ok := o.Mmap(0, 2*limitPages*m.Page, m.rw(), m.private()|step.flag, -1, 0); ok {
			o.Store("first", addr).Store("last", addr+2*limitPages*m.Page-1)
			m.Kernel.Munmap(addr, 2*limitPages*m.Page)
		}
		o.Emit()
	}
	m.growing("at the limit", func(o *probe.Obs, start uintptr) {
		lowest := start + m.Page - limitPages*m.Page
		o.Set("touched", lowest).Store("store", lowest).VMA("", lowest)
	})
	m.growing("beyond the limit", func(o *probe.Obs, start uintptr) {
		lowest := start + m.Page - limitPages*m.Page
		o.Set("touched", lowest-m.Page).Store("store", lowest)
		// The child's death would lose the observation, so it is emitted now.
		o.Emit()
		probe.Poke(lowest - m.Page)
		os.Exit(grewOn)
	})
}

// grewOn is the exit status of full if nothing stopped it.
const grewOn = 3

// growing runs a step on a growing mapping of one page with free room below, and
// then unmaps all of it.
func (m memory) growing(step string, body func(o *probe.Obs, start uintptr)) {
	o := m.Observe(step)
	defer o.Emit()
	hole, err := m.hole(roomPages)
	if err != nil {
		o.Unknown("room", err.Error())
		return
	}
	start := hole + (roomPages-gapPages)*m.Page
	_, errno := m.Kernel.Mmap(start, m.Page, m.rw(), m.private()|m.Kernel.Map.GrowsDown|m.Kernel.Map.FixedNoReplace, -1, 0)
	if errno != 0 {
		o.Unknown("growing", "map what is to grow: "+m.Outcome(errno))
		return
	}
	body(o, start)
	m.Kernel.Munmap(hole, roomPages*m.Page)
}

func (m memory) obstacle(o *probe.Obs, addr uintptr, prot uint64) bool {
	_, errno := m.Kernel.Mmap(addr, m.Page, prot, m.private()|m.Kernel.Map.FixedNoReplace, -1, 0)
	if errno != 0 {
		o.Unknown("touch", "map the obstacle: "+m.Outcome(errno))
	}
	return errno == 0
}
