package mmapabi

import (
	"errors"
	"fmt"

	"github.com/mapstack/conformance/poc/probe"
)

const (
	// roomPages is the number of free pages that a step may need: twice the stack
	// guard gap on both sides.
	roomPages = 4 * gapPages
	// roomStep is the distance between the places that are tried; roomTries is their
	// number.
	roomStep  = 1 << 30
	roomTries = 32
)

// survey finds the room. It must be far from other mappings: the kernel puts new
// mappings next to them, and the Go runtime maps memory at any time. A step that
// uses MAP_FIXED there, or cleans up, would otherwise take the runtime's memory.
func survey(p *probe.P) memory {
	m := memory{P: p}
	used, errno := m.Kernel.Mmap(0, m.Page, 0, m.private(), -1, 0)
	if errno != 0 {
		m.lacking = errors.New("find where mappings go: " + m.Outcome(errno))
		return m
	}
	m.Kernel.Munmap(used, m.Page)

	// As much again is free on both sides. The runtime would use that first.
	const parts = 3
	size := roomPages * m.Page
	flags := m.private() | m.Kernel.Map.NoReserve | m.Kernel.Map.FixedNoReplace
	for n := uintptr(1); n <= roomTries && used/roomStep > n+1; n++ {
		at := (used/roomStep - n) * roomStep
		got, errno := m.Kernel.Mmap(at, parts*size, 0, flags, -1, 0)
		if errno != 0 {
			continue
		}
		m.Kernel.Munmap(got, parts*size)
		if got == at {
			m.room = at + size
			return m
		}
	}
	m.lacking = fmt.Errorf("no %d pages are free below %#x", parts*roomPages, used)
	return m
}

// hole returns the start of n free pages, at most roomPages. It is the same for
// every step: a step leaves nothing there.
func (m memory) hole(n uintptr) (uintptr, error) {
	if n > roomPages {
		return 0, fmt.Errorf("there is no room for %d pages", n)
	}
	return m.room, m.lacking
}
