package mmapabi

import (
	"fmt"
	"strconv"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// poke writes a byte to memory that is known to be writable.
func poke(addr uintptr, b byte) { **(**byte)(unsafe.Pointer(&addr)) = b }

// descriptors observes when mmap checks its file, and the mode in which it was
// opened.
func (m memory) descriptors() {
	const notOpen = 1 << 20
	m.call("no file", 0, 1, m.rw(), m.Kernel.Map.Private, -1)
	m.call("file that is not open", 0, 1, m.rw(), m.Kernel.Map.Private, notOpen)
	m.call("anonymous with no file", 0, 1, m.rw(), m.private(), -1)
	m.call("anonymous with a file that is not open", 0, 1, m.rw(), m.private(), notOpen)

	m.withFile("read-only file", func(fd int) {
		path := "/proc/self/fd/" + strconv.Itoa(fd)
		reader, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			m.Observe("read-only file").Unknown("file", "open "+path+": "+err.Error()).Emit()
			return
		}
		defer syscall.Close(reader)
		k := m.Kernel
		m.call("read-only file shared writable", 0, 1, m.rw(), k.Map.Shared, reader)
		m.call("read-only file private writable", 0, 1, m.rw(), k.Map.Private, reader)
		o := m.Observe("read-only file shared readable")
		addr, ok := o.Mmap(0, m.Page, k.Prot.Read, k.Map.Shared, reader, 0)
		o.Emit()
		if ok {
			o := m.Observe("read-only file made writable")
			o.Mprotect(addr, m.Page, m.rw())
			o.Write("write", addr).Emit()
			k.Munmap(addr, m.Page)
		}
	})

	// Populated, but without waiting for it.
	o := m.Observe("populate and nonblock")
	flags := m.private() | m.Kernel.Map.Populate | m.Kernel.Map.NonBlock
	if addr, ok := o.Mmap(0, pages*m.Page, m.rw(), flags, -1, 0); ok {
		o.Resident("resident", addr, pages)
		m.Kernel.Munmap(addr, pages*m.Page)
	}
	o.Emit()
}

// huge observes MAP_HUGETLB where it must not work.
func (m memory) huge() {
	k := m.Kernel.Map
	m.call("hugetlb", 0, pages, m.rw(), m.private()|k.HugeTLB, -1)
	const log2OfNoPage = 5 // 2^5 = 32 bytes
	m.call("hugetlb of 32 bytes", 0, pages, m.rw(), m.private()|k.HugeTLB|log2OfNoPage<<k.HugeShift, -1)
	m.withFile("hugetlb file", func(fd int) {
		m.call("hugetlb file", 0, pages, m.rw(), k.Private|k.HugeTLB, fd)
	})
}

// growsDown observes where MAP_GROWSDOWN is refused, and mprotect with
// PROT_GROWSDOWN.
func (m memory) growsDown() {
	k := m.Kernel
	m.call("growsdown shared anonymous", 0, 1, m.rw(), k.Map.Shared|k.Map.Anonymous|k.Map.GrowsDown, -1)
	m.withFile("growsdown file", func(fd int) {
		m.call("growsdown private file", 0, 1, m.rw(), k.Map.Private|k.Map.GrowsDown, fd)
		m.call("growsdown shared file", 0, 1, m.rw(), k.Map.Shared|k.Map.GrowsDown, fd)
	})
	for _, step := range []struct {
		name string
		flag uint64
	}{
		{"prot_growsdown on a plain mapping", 0},
		{"prot_growsdown on a growing mapping", k.Map.GrowsDown},
	} {
		addr, errno := k.Mmap(0, 8*m.Page, m.rw(), m.private()|step.flag, -1, 0)
		o := m.Observe(step.name)
		if errno != 0 {
			o.Unknown("mapping", m.Outcome(errno))
			o.Emit()
			continue
		}
		o.Mprotect(addr+5*m.Page, m.Page, k.Prot.Read|k.Prot.GrowsDown)
		o.VMA("first.", addr).VMA("asked.", addr+5*m.Page).VMA("after.", addr+6*m.Page).Emit()
		k.Munmap(addr, 8*m.Page)
	}
}

// discard observes which number makes madvise discard pages: MADV_DONTNEED of this
// architecture, or that of another.
func (m memory) discard() {
	seen := map[uint64]bool{}
	for _, t := range abi.All() {
		advice := t.Madv.DontNeed
		if seen[advice] {
			continue
		}
		seen[advice] = true
		o := m.Observe(fmt.Sprintf("madvise %d", advice))
		addr, errno := m.Kernel.Mmap(0, m.Page, m.rw(), m.private(), -1, 0)
		if errno != 0 {
			o.Unknown("byte", m.Outcome(errno))
			o.Emit()
			continue
		}
		poke(addr, 1)
		o.Madvise(addr, m.Page, advice)
		o.Byte("byte", addr).Emit()
		m.Kernel.Munmap(addr, m.Page)
	}
}

// nobody is a user without capabilities.
const nobody = 65534

// lockedLimits observes MAP_LOCKED against RLIMIT_MEMLOCK, as root and as a user.
// It runs in a child because neither the limit nor the user can be restored.
func lockedLimits(p *probe.P) {
	m := survey(p)
	over := sys.Rlimit{Current: uint64(2 * m.Page), Max: uint64(2 * m.Page)}
	none := sys.Rlimit{Current: 0, Max: uint64(2 * m.Page)}
	try := func(step string, limit sys.Rlimit) {
		o := m.Observe(step)
		if errno := m.Kernel.Prlimit64(m.Kernel.Rlimit.MemLock, &limit, nil); errno != 0 {
			o.Unknown("limit", "prlimit64(RLIMIT_MEMLOCK): "+m.Outcome(errno))
			o.Emit()
			return
		}
		o.Set("mlock", m.mlock(4))
		if addr, ok := o.Mmap(0, 4*m.Page, m.rw(), m.private()|m.Kernel.Map.Locked, -1, 0); ok {
			o.Resident("resident", addr, 4)
			m.Kernel.Munmap(addr, 4*m.Page)
		}
		o.Emit()
	}
	try("root over the limit", over)
	try("root with limit 0", none)
	o := m.Observe("user")
	ok := o.Returned("setresuid(65534, 65534, 65534)", 0, m.Kernel.Setresuid(nobody, nobody, nobody))
	o.Emit()
	if ok {
		try("user over the limit", over)
		try("user with limit 0", none)
	}
}

// mlock locks pages of plain memory: the control of MAP_LOCKED.
func (m memory) mlock(pages uintptr) string {
	addr, errno := m.Kernel.Mmap(0, pages*m.Page, m.rw(), m.private(), -1, 0)
	if errno != 0 {
		return "mmap: " + m.Outcome(errno)
	}
	defer m.release(addr, pages*m.Page)
	_, _, errno = syscall.RawSyscall(syscall.SYS_MLOCK, addr, pages*m.Page, 0)
	return m.Outcome(errno)
}
