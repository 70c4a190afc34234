package address

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/poc/probe"
)

const (
	// firstBits and lastBits bound the sizes of address spaces that are tried, in
	// bits.
	firstBits, lastBits = 30, 64
	// firstHint is above the addresses that hints tries, as a power of two.
	firstHint = 37
	// chunk is the size of the mappings that fill the window. The Go runtime finds
	// room in the gaps that are left. maxFill chunks are 2^49 bytes.
	chunk   = 1 << 36
	maxFill = 1 << 13
)

// space observes which addresses near powers of two can be mapped.
func (m placer) space() {
	o := m.Observe("reach")
	highest := uint(0)
	for n := uint(firstBits); n <= lastBits; n++ {
		end := uintptr(0) // 2^64
		if n < 64 {
			end = 1 << n
		}
		key := strconv.Itoa(int(n))
		// Some architectures keep the last page free, so the one before it is tried
		// too.
		last := m.reachable(end - 2*m.Page)
		o.Set(key+" last but one", last).Set(key+" last", m.reachable(end-m.Page))
		if end != 0 {
			o.Set(key+" beyond", m.reachable(end))
		}
		if last == "ok" {
			highest = n
		}
	}
	o.Set("bits", highest).Emit()
	if highest == 0 {
		return
	}
	o = m.Observe("highest")
	at := uintptr(1)<<highest - 2*m.Page // 1<<64 is 0, so this wraps to the top
	o.Set("asked", at)
	if addr, ok := o.Mmap(at, m.Page, m.rw(), m.private()|m.Kernel.Map.FixedNoReplace, -1, 0); ok {
		o.Store("store", addr)
	}
	o.Emit()
	if highest < 64 {
		o = m.Observe("beyond")
		o.Mmap(1<<highest, m.Page, m.rw(), m.private()|m.Kernel.Map.Fixed, -1, 0)
		o.Emit()
	}
}

// reachable returns "ok" if a page can be mapped at an address or is already mapped
// there. Else it returns the error, or "elsewhere".
func (m placer) reachable(at uintptr) string {
	addr, errno := m.Kernel.Mmap(at, m.Page, 0, m.reserve()|m.Kernel.Map.FixedNoReplace, -1, 0)
	if errno != 0 {
		if name := m.outcome(errno); name != "EEXIST" {
			return name
		}
		return "ok"
	}
	m.Kernel.Munmap(addr, m.Page)
	if addr != at {
		return "elsewhere"
	}
	return "ok"
}

// window observes hints at high addresses. It then observes how far mappings
// without a hint reach when there are many.
func (m placer) window() {
	for n := uint(firstHint); n < lastBits; n++ {
		// Halfway between two powers of two is away from the edge of any address
		// space.
		at := uintptr(3) << (n - 1)
		o := m.Observe(fmt.Sprintf("hint above 2^%d", n))
		o.Set("asked", at)
		// The Go runtime may put its heap anywhere.
		if free, known := m.free(o, at, m.Page); known {
			o.Set("free", free)
		}
		if addr, ok := o.Mmap(at, m.Page, m.rw(), m.private(), -1, 0); ok {
			o.Store("store", addr)
			m.Kernel.Munmap(addr, m.Page)
		}
		o.Emit()
	}
	m.fill()
}

// fill maps without a hint until that fails, or until a mapping crosses the next
// power of two above the first one. It then records which ranges are free.
func (m placer) fill() {
	o := m.Observe("full")
	defer o.Emit()
	var first, end uintptr
	made := 0
	for ; made < maxFill; made++ {
		addr, errno := m.Kernel.Mmap(0, chunk, 0, m.reserve(), -1, 0)
		if errno != 0 {
			break
		}
		if made == 0 {
			first = addr
		}
		if bits.Len64(uint64(addr+chunk-1)) > bits.Len64(uint64(first)) {
			m.Kernel.Munmap(addr, chunk)
			break
		}
		if addr+chunk > end {
			end = addr + chunk
		}
	}
	o.Set("mappings", made).Set("end", end).Set("length", uintptr(chunk))
	mapped, err := probe.Layout()
	if err != nil {
		o.Unknown("free", err.Error())
		return
	}
	var free []string
	var from uintptr
	for _, v := range mapped {
		if v.Start-from >= chunk {
			free = append(free, fmt.Sprintf("%#x-%#x", from, v.Start))
		}
		from = v.End
	}
	// This records where the next mapping goes. It is not unmapped.
	o.Mmap(0, chunk, 0, m.reserve(), -1, 0)
	o.Set("free", strings.Join(free, " ")).Set("highest", from)
}
