package mmapabi

import (
	"fmt"
	"runtime"
	"strconv"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

// types observes every value of the type field, anonymous and with a file.
func (m memory) types() {
	o := m.Observe("types anonymous")
	for t := uint64(0); t <= m.Kernel.Map.Type; t++ {
		o.Set(strconv.FormatUint(t, 10), m.try(1, m.rw(), t|m.Kernel.Map.Anonymous, -1))
	}
	o.Emit()

	m.withFile("types file", func(fd int) {
		o := m.Observe("types file")
		for t := uint64(0); t <= m.Kernel.Map.Type; t++ {
			o.Set(strconv.FormatUint(t, 10), m.try(1, m.rw(), t, fd))
		}
		o.Emit()
	})

	// The number is given because some tables do not define it.
	const droppable = 8
	o = m.Observe("droppable")
	if addr, ok := o.Mmap(0, pages*m.Page, m.rw(), droppable|m.Kernel.Map.Anonymous, -1, 0); ok {
		o.VMA("", addr).Store("store", addr)
		m.inherited(o, addr)
		m.Kernel.Munmap(addr, pages*m.Page)
	}
	o.Emit()
}

// inherited records the byte at an address in a process made by fork.
func (m memory) inherited(o *probe.Obs, addr uintptr) {
	switch b, has, err := m.childReads(addr); {
	case err != nil:
		o.Unknown("child", err.Error())
	case !has:
		o.Unknown("child", "the process wrote nothing")
	default:
		o.Set("child", b)
	}
}

// childReads returns the byte at an address in a process made by fork, and whether there
// is one. The first thing that the process does is to write it to a pipe. If write fails,
// it ends and nothing comes.
func (m memory) childReads(addr uintptr) (b byte, has bool, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
		return 0, false, err
	}
	defer syscall.Close(pipe[0])
	first := [4]uintptr{syscall.SYS_WRITE, uintptr(pipe[1]), addr, 1}
	pid, errno, err := m.Kernel.CloneFirst(m.Kernel.Signal.Chld, first)
	syscall.Close(pipe[1])
	if err == nil && errno != 0 {
		err = errno
	}
	if err != nil {
		return 0, false, fmt.Errorf("make a process: %w", err)
	}
	read := make([]byte, 1)
	n, err := syscall.Read(pipe[0], read)
	var status syscall.WaitStatus
	_, _ = syscall.Wait4(pid, &status, 0, nil)
	if err == nil && n == 0 && !status.Exited() {
		err = fmt.Errorf("the process died: %#x", uint32(status))
	}
	return read[0], err == nil && n == 1, err
}

// unknownBits observes the bits that have no name on this architecture. It uses the
// types that ignore unknown bits, and the one that does not.
func (m memory) unknownBits() {
	named := m.Kernel.Map.Type
	for _, c := range m.Kernel.Map.Named() {
		// MAP_HUGE_SHIFT is a number of bits, not a flag.
		if c.Name != "MAP_HUGE_SHIFT" {
			named |= c.Value
		}
	}
	each := func(step string, flags uint64, fd int) {
		o := m.Observe(step)
		// Above lastBit are further bits of a huge page's size.
		for n := firstBit; n < lastBit; n++ {
			if bit := uint64(1) << n; named&bit == 0 {
				o.Set(fmt.Sprintf("%#x", bit), m.try(1, m.rw(), flags|bit, fd))
			}
		}
		o.Emit()
	}
	each("unknown bits private anonymous", m.private(), -1)
	m.withFile("unknown bits file", func(fd int) {
		each("unknown bits private file", m.Kernel.Map.Private, fd)
		each("unknown bits shared file", m.Kernel.Map.Shared, fd)
		each("unknown bits validated file", m.Kernel.Map.SharedValidate, fd)
	})
}

// validated observes which flags MAP_SHARED_VALIDATE accepts.
func (m memory) validated() {
	m.call("validated anonymous", 0, 1, m.rw(), m.Kernel.Map.SharedValidate|m.Kernel.Map.Anonymous, -1)
	m.withFile("validated", func(fd int) {
		k := m.Kernel.Map
		o := m.Observe("validated legacy flags")
		for _, flag := range []struct {
			name  string
			value uint64
		}{
			{"none", 0}, {"stack", k.Stack}, {"populate", k.Populate}, {"noreserve", k.NoReserve}, {"locked", k.Locked},
		} {
			o.Set(flag.name, m.try(1, m.rw(), k.SharedValidate|flag.value, fd))
		}
		o.Emit()
		// The generic number of MAP_SYNC; this architecture may use it for something
		// else.
		const genericSync = 0x80000
		m.call("validated 0x80000", 0, 1, m.rw(), k.SharedValidate|genericSync, fd)
		m.call("private 0x80000 file", 0, 1, m.rw(), k.Private|genericSync, fd)
		// At address 0 the call would ask for a right too: see vm.mmap_min_addr.
		if hole, err := m.hole(1); err != nil {
			m.Observe("validated noreplace").Unknown("hole", err.Error()).Emit()
		} else {
			m.call("validated noreplace", hole, 1, m.rw(), k.SharedValidate|k.FixedNoReplace, fd)
		}
		if k.Sync == 0 {
			return
		}
		m.call("sync validated", 0, 1, m.rw(), k.SharedValidate|k.Sync, fd)
		m.call("sync shared", 0, 1, m.rw(), k.Shared|k.Sync, fd)
		m.call("sync private", 0, 1, m.rw(), k.Private|k.Sync, fd)
	})
}

// protections observes every combination of the three protections, with and without
// MAP_STACK.
func (m memory) protections() {
	o := m.Observe("protections")
	all := m.Kernel.Prot.Read | m.Kernel.Prot.Write | m.Kernel.Prot.Exec
	for prot := uint64(0); prot <= all; prot++ {
		o.Set(strconv.FormatUint(prot, 10), m.try(1, prot, m.private(), -1))
		o.Set(strconv.FormatUint(prot, 10)+" stack", m.try(1, prot, m.private()|m.Kernel.Map.Stack, -1))
	}
	o.Emit()
}
