package mapstack

import (
	"fmt"
	"os"
	"strings"

	"github.com/mapstack/conformance/poc/probe"
)

// sizes maps one page, eight pages, and the 8 MiB of a thread stack, and uses both
// ends.
func (m mapper) sizes() {
	for _, size := range []struct {
		name   string
		length uintptr
	}{
		{"map.1p", m.Page}, {"map.8p", 8 * m.Page}, {"map.8m", 8 << 20},
	} {
		o := m.Observe(size.name)
		addr, ok := o.Mmap(0, size.length, m.rw(), m.stack(), -1, 0)
		if ok {
			o.VMA("", addr).Store("first", addr).Store("last", addr+size.length-1)
			m.release(addr, size.length)
		}
		o.Emit()
	}
}

// capabilities records the effective capabilities of this process, in the kernel's
// format.
func capabilities(o *probe.Obs) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		o.Unknown("capeff", err.Error())
		return
	}
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "CapEff:") {
			o.Set("capeff", strings.TrimSpace(strings.TrimPrefix(line, "CapEff:")))
			return
		}
	}
	o.Unknown("capeff", "/proc/self/status has no CapEff")
}

// comparison makes the same mapping with and without MAP_STACK.
func (m mapper) comparison() {
	for _, kind := range []struct {
		name  string
		flags uint64
	}{
		{"compare.plain", m.plain()}, {"compare.stack", m.stack()},
	} {
		o := m.Observe(kind.name)
		addr, ok := o.Mmap(0, 16*m.Page, m.rw(), kind.flags, -1, 0)
		if ok {
			o.VMA("", addr).Resident("resident", addr, 16)
			m.release(addr, 16*m.Page)
		}
		o.Emit()
	}
}

// merging maps next to a plain mapping and observes whether the kernel merges the
// two. It does so with MAP_STACK, and without it as the control.
func (m mapper) merging() {
	const pages = 64
	for _, kind := range []struct {
		name  string
		flags uint64
	}{
		{"merge.plain", m.plain()}, {"merge.stack", m.stack()},
	} {
		o := m.Observe(kind.name)
		// Inaccessible neighbours keep other mappings away.
		base, errno := m.Kernel.Mmap(0, pages*m.Page, 0, m.plain(), -1, 0)
		if errno != 0 {
			o.Unknown("reservation", m.failure("mmap", errno)).Emit()
			continue
		}
		left, right := base+16*m.Page, base+20*m.Page
		if _, ok := o.Mmap(left, 4*m.Page, m.rw(), m.plain()|m.Kernel.Map.Fixed, -1, 0); ok {
			if _, ok := o.Mmap(right, 4*m.Page, m.rw(), kind.flags|m.Kernel.Map.Fixed, -1, 0); ok {
				o.VMA("left.", left).VMA("right.", right)
			}
		}
		m.release(base, pages*m.Page)
		o.Emit()
	}
}

// files maps a file with MAP_STACK, in each way that a file can be mapped.
func (m mapper) files() {
	for _, kind := range []struct {
		name  string
		flags uint64
	}{
		{"file.shared", m.Kernel.Map.Shared},
		{"file.private", m.Kernel.Map.Private},
		{"file.shared_validate", m.Kernel.Map.SharedValidate},
	} {
		o := m.Observe(kind.name)
		fd, errno := m.Kernel.MemfdCreate("mapstack", 0)
		if errno != 0 {
			o.Unknown("file", m.failure("memfd_create", errno)).Emit()
			continue
		}
		f := os.NewFile(uintptr(fd), "memfd")
		if err := f.Truncate(int64(4 * m.Page)); err != nil {
			o.Unknown("file", err.Error())
		} else if addr, ok := o.Mmap(0, 4*m.Page, m.rw(), kind.flags|m.Kernel.Map.Stack, fd, 0); ok {
			o.VMA("", addr).Store("first", addr).Store("last", addr+4*m.Page-1)
			// The file's content tells a shared mapping from a private one.
			b := make([]byte, 1)
			if _, err := f.ReadAt(b, 0); err != nil {
				o.Unknown("file", err.Error())
			} else {
				o.Set("file", b[0])
			}
			m.release(addr, 4*m.Page)
		}
		f.Close()
		o.Emit()
	}
}

// protections asks for every protection. Nothing is touched: on some CPUs memory
// that is only writable must not be read.
func (m mapper) protections(step string, flags uint64) {
	for prot := uint64(0); prot < 8; prot++ {
		o := m.Observe(fmt.Sprintf("%s.%d", step, prot))
		addr, ok := o.Mmap(0, m.Page, prot, flags, -1, 0)
		if ok {
			o.VMA("", addr)
			m.release(addr, m.Page)
		}
		o.Emit()
	}
}

// types combines MAP_STACK with mapping types, valid and invalid.
func (m mapper) types() {
	f := m.Kernel.Map
	for _, kind := range []struct {
		name  string
		flags uint64
	}{
		{"type.shared", f.Shared | f.Anonymous},
		{"type.shared_validate", f.SharedValidate | f.Anonymous},
		{"type.none", f.Anonymous},
	} {
		o := m.Observe(kind.name)
		addr, ok := o.Mmap(0, m.Page, m.rw(), kind.flags|f.Stack, -1, 0)
		if ok {
			o.VMA("", addr)
			m.release(addr, m.Page)
		}
		o.Emit()
	}
}

// hugePageAdvice follows the VM_NOHUGEPAGE of one mapping through changes.
func (m mapper) hugePageAdvice() {
	const length = 8 << 20
	o := m.Observe("thp.map")
	addr, ok := o.Mmap(0, length, m.rw(), m.stack(), -1, 0)
	if ok {
		o.VMA("", addr)
	}
	o.Emit()
	if !ok {
		return
	}
	defer m.release(addr, length)
	for _, advice := range []struct {
		name  string
		value uint64
	}{
		{"thp.hugepage", m.Kernel.Madv.HugePage}, {"thp.nohugepage", m.Kernel.Madv.NoHugePage},
	} {
		o := m.Observe(advice.name)
		o.Madvise(addr, length, advice.value)
		o.VMA("", addr).Emit()
	}
}

// growth leaves one free page below a mapping and touches it. Below that page
// everything is inaccessible, which a growing mapping may come next to. The page
// stays free because the Go runtime maps nothing that small meanwhile.
func (m mapper) growth() {
	const free, used = 1, 16
	o := m.Observe("growth")
	base, errno := m.Kernel.Mmap(0, (1+free+used)*m.Page, 0, m.plain(), -1, 0)
	if errno != 0 {
		o.Unknown("reservation", m.failure("mmap", errno)).Emit()
		return
	}
	defer m.release(base, (1+free+used)*m.Page)
	m.release(base+m.Page, free*m.Page)
	want := base + (1+free)*m.Page
	addr, ok := o.Mmap(want, used*m.Page, m.rw(), m.stack()|m.Kernel.Map.Fixed, -1, 0)
	if ok {
		o.Set("asked", want).VMA("", addr).Resident("resident", addr, used)
		o.VMA("below.", addr-1).Write("below.write", addr-1).VMA("after.", addr)
	}
	o.Emit()
}

// combinations puts MAP_STACK beside other flags, each with a control without it.
func (m mapper) combinations() {
	const pages = 16
	f := m.Kernel.Map
	for _, other := range []struct {
		name string
		flag uint64
	}{
		{"noreserve", f.NoReserve}, {"populate", f.Populate}, {"growsdown", f.GrowsDown}, {"hugetlb", f.HugeTLB},
		{"nonblock", f.NonBlock},
	} {
		for _, kind := range []struct {
			name  string
			flags uint64
		}{
			{"plain", m.plain()}, {"stack", m.stack()},
		} {
			o := m.Observe("with." + other.name + "." + kind.name)
			addr, ok := o.Mmap(0, pages*m.Page, m.rw(), kind.flags|other.flag, -1, 0)
			if ok {
				o.VMA("", addr).Resident("resident", addr, pages)
				m.release(addr, pages*m.Page)
			}
			o.Emit()
		}
	}
}
