package mapstack

import "fmt"

// glibcStack repeats nptl/allocatestack.c. The whole stack is mapped without
// access, and then all but the guard is made accessible.
func (m mapper) glibcStack() {
	m.threadStack("glibc", m.stack(), 8<<20)
}

// muslStack repeats src/thread/pthread_create.c, which does not use MAP_STACK.
func (m mapper) muslStack() {
	const stack = 128 << 10 // DEFAULT_STACK_SIZE
	m.threadStack("musl", m.plain(), stack+m.Page)
}

// olderGlibcStack repeats nptl/allocatestack.c of glibc before 2.27, with which the
// systems of 4.19 came. The whole stack is mapped accessible, and then the guard is
// closed.
func (m mapper) olderGlibcStack() {
	const length = 8 << 20
	o := m.Observe("older.mmap")
	addr, ok := o.Mmap(0, length, m.rw(), m.stack(), -1, 0)
	if ok {
		o.VMA("", addr)
	}
	o.Emit()
	if !ok {
		return
	}
	o = m.Observe("older.mprotect")
	if o.Mprotect(addr, m.Page, 0) {
		o.VMA("stack.", addr+m.Page).VMA("guard.", addr)
		o.Store("top", addr+length-1).Store("bottom", addr+m.Page)
		o.Write("guard.write", addr+m.Page-1).Read("guard.read", addr)
	}
	o.Emit()
	o = m.Observe("older.munmap")
	errno := m.Kernel.Munmap(addr, length)
	o.Read("read", addr+length-1)
	o.Returned(fmt.Sprintf("munmap(%#x, %#x)", addr, length), 0, errno)
	o.Emit()
}

func (m mapper) threadStack(name string, flags uint64, length uintptr) {
	guard := m.Page
	o := m.Observe(name + ".mmap")
	addr, ok := o.Mmap(0, length, 0, flags, -1, 0)
	if ok {
		o.VMA("", addr)
	}
	o.Emit()
	if !ok {
		return
	}
	o = m.Observe(name + ".mprotect")
	if o.Mprotect(addr+guard, length-guard, m.rw()) {
		o.VMA("stack.", addr+guard).VMA("guard.", addr)
		o.Store("top", addr+length-1).Store("bottom", addr+guard)
		o.Write("guard.write", addr+guard-1).Read("guard.read", addr)
	}
	o.Emit()
	o = m.Observe(name + ".munmap")
	errno := m.Kernel.Munmap(addr, length)
	// The read comes at once, because the Go runtime may map something where the
	// stack was.
	o.Read("read", addr+length-1)
	o.Returned(fmt.Sprintf("munmap(%#x, %#x)", addr, length), 0, errno)
	o.Emit()
}

// dontNeed discards the content of a stack, as glibc does before it keeps a stack
// for the next thread.
func (m mapper) dontNeed() {
	o := m.Observe("dontneed.map")
	addr, ok := o.Mmap(0, 4*m.Page, m.rw(), m.stack(), -1, 0)
	if ok {
		o.VMA("", addr).Store("first", addr).Resident("resident", addr, 4)
	}
	o.Emit()
	if !ok {
		return
	}
	defer m.release(addr, 4*m.Page)
	o = m.Observe("dontneed")
	o.Madvise(addr, 4*m.Page, m.Kernel.Madv.DontNeed)
	// Residency comes first, because the read brings the page back.
	o.VMA("", addr).Resident("resident", addr, 4).Byte("byte", addr).Store("again", addr).Emit()
}

// guardRegion turns a page of a stack into a guard, without a separate mapping.
func (m mapper) guardRegion() {
	o := m.Observe("guard.install")
	addr, errno := m.Kernel.Mmap(0, 4*m.Page, m.rw(), m.stack(), -1, 0)
	if errno != 0 {
		o.Unknown("stack", m.failure("mmap", errno)).Emit()
		return
	}
	defer m.release(addr, 4*m.Page)
	if o.Madvise(addr+m.Page, m.Page, m.Kernel.Madv.GuardInstall) {
		o.VMA("", addr+m.Page).Store("before", addr).Write("guard", addr+m.Page).Store("after", addr+2*m.Page)
	}
	o.Emit()
}
