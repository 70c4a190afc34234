package main

import (
	"fmt"
	"strconv"
)

const (
	// firstBits and lastBits are the address spaces that are tried.
	firstBits, lastBits = 30, 64
	// smallestBits is the smallest mapping that fills the window; the Go
	// runtime finds room in what is left.
	smallestBits = 36
	// maxFill bounds the mappings that fill the window: some page tables grow,
	// and then there is nearly no end.
	maxFill = 64
)

// space observes which addresses near powers of two can be mapped at all.
func (m placer) space() {
	o := m.Observe("reach")
	highest := uint(0)
	for bits := uint(firstBits); bits <= lastBits; bits++ {
		end := uintptr(0) // 2^64
		if bits < 64 {
			end = 1 << bits
		}
		key := strconv.Itoa(int(bits))
		// Some architectures keep the last page free.
		last := m.reachable(end - 2*m.Page)
		o.Set(key+" last but one", last).Set(key+" last", m.reachable(end-m.Page))
		if end != 0 {
			o.Set(key+" beyond", m.reachable(end))
		}
		if last == "ok" {
			highest = bits
		}
	}
	o.Set("bits", highest).Emit()
	if highest == 0 {
		return
	}
	o = m.Observe("highest")
	at := uintptr(1)<<highest - 2*m.Page // 1<<64 is 0
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

// reachable tells whether a page can be mapped at an address. One that is
// mapped already can be.
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

// window observes hints at high addresses, and how far mappings without a hint
// reach when there are many.
func (m placer) window() {
	for bits := uint(smallestBits); bits < lastBits; bits++ {
		// The middle between two powers of two, away from the edges of any space.
		at := uintptr(3) << (bits - 1)
		o := m.Observe(fmt.Sprintf("hint above 2^%d", bits))
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

// fill maps without a hint, the largest that fits each time.
func (m placer) fill() {
	var end, total uintptr
	made := 0
	for bits := uint(lastBits - 1); bits >= smallestBits && made < maxFill; {
		length := uintptr(1) << bits
		addr, errno := m.Kernel.Mmap(0, length, 0, m.reserve(), -1, 0)
		if errno != 0 {
			bits--
			continue
		}
		made++
		total += length
		if addr+length > end {
			end = addr + length
		}
	}
	o := m.Observe("full")
	o.Set("mappings", made).Set("total", total).Set("end", end).Set("exhausted", made < maxFill)
	if _, ok := o.Mmap(0, 1<<smallestBits, 0, m.reserve(), -1, 0); ok {
		o.Set("full", false)
	}
	o.Emit()
}
