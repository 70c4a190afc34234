package mapstack

import (
	"fmt"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

// Flags of mremap (include/uapi/linux/mman.h), the same everywhere.
const (
	mayMove  = 1
	exactly  = 2 // MREMAP_FIXED
	oldPages = 4
	newPages = 8
)

// remaps grows a mapping with mremap, and moves one to an address that it chose.
func (m mapper) remaps() {
	for _, kind := range m.kinds() {
		m.remap("remap.grow."+kind.name, kind.flags, mayMove)
		m.remap("remap.move."+kind.name, kind.flags, mayMove|exactly)
	}
}

func (m mapper) remap(step string, flags, how uint64) {
	o := m.Observe(step)
	defer o.Emit()
	// Inaccessible neighbours keep other mappings away.
	const reserved = 64
	base, errno := m.Kernel.Mmap(0, reserved*m.Page, 0, m.plain(), -1, 0)
	if errno != 0 {
		o.Unknown("reservation", m.failure("mmap", errno))
		return
	}
	defer m.release(base, reserved*m.Page)
	old, to := base+16*m.Page, base+32*m.Page
	if _, errno := m.Kernel.Mmap(old, oldPages*m.Page, m.rw(), flags|m.Kernel.Map.Fixed, -1, 0); errno != 0 {
		o.Unknown("mapping", m.failure("mmap", errno))
		return
	}
	o.Store("before", old).VMA("old.", old)
	got, _, errno := syscall.RawSyscall6(uintptr(m.Kernel.Syscall.Mremap), old, oldPages*m.Page, newPages*m.Page, uintptr(how), to, 0)
	call := fmt.Sprintf("mremap(%#x, %#x, %#x, %d, %#x)", old, oldPages*m.Page, newPages*m.Page, how, to)
	if !o.Returned(call, got, errno) {
		return
	}
	o.VMA("", got).Byte("first", got).Store("last", got+newPages*m.Page-1)
	if got != old {
		o.Read("left", old)
	}
	o.Set("there", got == to)
	if got != to {
		m.release(got, newPages*m.Page)
	}
}

// lockAll maps after mlockall(MCL_FUTURE). It is a child, because the Go runtime's own
// mappings are locked as well.
func (m mapper) lockAll() {
	o := m.Observe("call")
	_, _, errno := syscall.RawSyscall(syscall.SYS_MLOCKALL, uintptr(m.Kernel.Mcl.Future), 0, 0)
	ok := o.Returned(fmt.Sprintf("mlockall(%#x)", m.Kernel.Mcl.Future), 0, errno)
	o.Emit()
	if !ok {
		return
	}
	for _, kind := range m.kinds() {
		o := m.Observe(kind.name)
		if addr, ok := o.Mmap(0, 16*m.Page, m.rw(), kind.flags, -1, 0); ok {
			o.VMA("", addr).Resident("resident", addr, 16)
			m.release(addr, 16*m.Page)
		}
		o.Emit()
	}
	syscall.RawSyscall(syscall.SYS_MUNLOCKALL, 0, 0, 0)
}

// hugePages maps one huge page of each kind, after it reserved two of them. A machine
// may have no room for huge pages: then "free" is 0, or "absent" has the reason, and nothing is mapped.
func (m mapper) hugePages() {
	o := m.Observe("huge")
	defer o.Emit()
	size, err := hugePageSize()
	if err != nil {
		o.Set("absent", err.Error())
		return
	}
	restore, free, err := reserve(2)
	if err != nil {
		o.Set("absent", err.Error())
		return
	}
	defer restore()
	o.Set("size", size).Set("free", free)
	if free < 1 {
		return
	}
	for _, kind := range m.kinds() {
		m.hugePage(kind, size)
	}
}

func (m mapper) hugePage(kind kind, size uintptr) {
	o := m.Observe("huge." + kind.name)
	defer o.Emit()
	addr, ok := o.Mmap(0, size, m.rw(), kind.flags|m.Kernel.Map.HugeTLB, -1, 0)
	if !ok {
		return
	}
	o.VMA("", addr).Store("first", addr).Store("last", addr+size-1)
	if v, _, err := probe.Lookup(addr); err != nil {
		o.Unknown("pagesize", err.Error())
	} else {
		o.Set("pagesize", v.Fields["KernelPageSize"])
	}
	m.release(addr, size)
}
