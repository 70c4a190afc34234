package probe

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"
)

// Outcomes of touching a byte.
const (
	touched = "ok"
	faulted = "fault"
)

// stored is the byte that Store writes. It is not zero, which new memory holds.
const stored = 0xa5

// Write writes one byte and records "ok" or "fault".
func (o *Obs) Write(key string, addr uintptr) *Obs {
	return o.Set(key, touch(func() { store(addr, stored) }))
}

// Read reads one byte and records "ok" or "fault". Memory that was mapped writable
// but not readable must be written first: on MIPS CPUs without RIXI the read never
// returns.
func (o *Obs) Read(key string, addr uintptr) *Obs {
	return o.Set(key, touch(func() { load(addr) }))
}

// Byte reads one byte and records it in decimal, or "fault".
func (o *Obs) Byte(key string, addr uintptr) *Obs {
	o.Reads(key, addr)
	return o
}

// Reads does what Byte does, and reports whether the byte could be read.
func (o *Obs) Reads(key string, addr uintptr) bool {
	var b byte
	if result := touch(func() { b = load(addr) }); result != touched {
		o.Set(key, result)
		return false
	}
	o.Set(key, b)
	return true
}

// Store writes one byte, reads it back, and records "ok", "fault", or the byte that
// was read instead.
func (o *Obs) Store(key string, addr uintptr) *Obs {
	var b byte
	result := touch(func() {
		store(addr, stored)
		b = load(addr)
	})
	if result == touched && b != stored {
		result = fmt.Sprintf("wrote %#x, read %#x", stored, b)
	}
	return o.Set(key, result)
}

// Poke writes one byte. A fault ends the process, as in a program that expects
// none.
func Poke(addr uintptr) { store(addr, stored) }

// Resident records how many pages from addr on are in memory, according to mincore.
func (o *Obs) Resident(key string, addr uintptr, pages int) *Obs {
	vec := make([]byte, pages)
	if errno := o.p.Kernel.Mincore(addr, o.p.Page, vec); errno != 0 {
		return o.Unknown(key, fmt.Sprintf("mincore(%#x, %d pages): errno %d %s", addr, pages, int(errno), o.p.Kernel.ErrnoName(int(errno))))
	}
	n := 0
	for _, v := range vec {
		n += int(v & 1)
	}
	return o.Set(key, n)
}

// touch makes an access and returns its outcome.
func touch(access func()) (result string) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error: // access can cause no other runtime error
			result = faulted
		default:
			panic(r)
		}
	}()
	access()
	return touched
}

// load and store are not inlined, so that the compiler cannot omit an access whose
// result it knows.
//
//go:noinline
func load(addr uintptr) byte { return *at(addr) }

//go:noinline
func store(addr uintptr, b byte) { *at(addr) = b }

// at returns the memory at an address outside Go's own memory. It converts through
// the address of the number, because vet rightly distrusts the direct conversion:
// that is wrong for Go's own memory.
func at(addr uintptr) *byte { return *(**byte)(unsafe.Pointer(&addr)) }
