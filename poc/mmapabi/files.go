package mmapabi

import "syscall"

// files observes flags that are rarely used with files.
func (m memory) files() {
	k := m.Kernel.Map
	m.withFile("flags of a file", func(fd int) {
		for _, kind := range []struct {
			name  string
			value uint64
		}{{"shared", k.Shared}, {"private", k.Private}} {
			o := m.Observe("flags of a " + kind.name + " file")
			for _, flag := range []struct {
				name  string
				value uint64
			}{{"populate", k.Populate}, {"noreserve", k.NoReserve}, {"locked", k.Locked}} {
				o.Set(flag.name, m.try(1, m.rw(), kind.value|flag.value, fd))
			}
			o.Emit()
		}
		m.call("growsdown validated file", 0, 1, m.rw(), k.SharedValidate|k.GrowsDown, fd)
		m.noReplace(fd)
	})
	o := m.Observe("anonymous with an offset")
	if addr, ok := o.Mmap(0, m.Page, m.rw(), m.private(), -1, int64(m.Page)); ok {
		o.Store("store", addr)
		m.Kernel.Munmap(addr, m.Page)
	}
	o.Emit()
}

// noReplace maps a file with MAP_FIXED_NOREPLACE at a free address, and again there.
func (m memory) noReplace(fd int) {
	k := m.Kernel.Map
	o := m.Observe("noreplace file free")
	hole, err := m.hole(8)
	if err != nil {
		o.Unknown("hole", err.Error()).Emit()
		return
	}
	at := hole + 4*m.Page
	o.Set("asked", at)
	got, ok := o.Mmap(at, m.Page, m.rw(), k.Shared|k.FixedNoReplace, fd, 0)
	if ok {
		o.Store("store", got)
	}
	o.Emit()
	if !ok || got != at {
		return // the memory at that address belongs to somebody else
	}
	o = m.Observe("noreplace file occupied")
	other := syscall.Errno(0)
	if addr, again := o.Mmap(at, m.Page, m.rw(), k.Private|k.FixedNoReplace, fd, 0); again && addr != at {
		other = m.Kernel.Munmap(addr, m.Page)
	}
	o.Byte("kept", at).Set("unmapped", m.Outcome(other)).Emit()
	m.Kernel.Munmap(at, m.Page)
}
