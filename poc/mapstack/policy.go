package mapstack

// From include/uapi/linux/{personality,prctl}.h, the same everywhere.
const (
	readImpliesExec    = 0x400000
	setMDWE, getMDWE   = 65, 66
	mdweRefuseExecGain = 1
	onlyTell           = 0xffffffff
)

// impliedExec maps after the process asked that readable memory be executable. The
// kernel does that for programs without a PT_GNU_STACK header.
func (m mapper) impliedExec() {
	o := m.Observe("personality")
	before, errno := m.Kernel.Personality(onlyTell)
	if errno == 0 {
		before, errno = m.Kernel.Personality(uint64(before) | readImpliesExec)
	}
	ok := o.Returned("personality(before | READ_IMPLIES_EXEC)", before, errno)
	o.Emit()
	if !ok {
		return
	}
	o = m.Observe("map")
	addr, ok := o.Mmap(0, m.Page, m.Kernel.Prot.Read, m.stack(), -1, 0)
	if ok {
		o.VMA("", addr)
	}
	o.Emit()
	if !ok {
		return
	}
	o = m.Observe("mprotect")
	o.Mprotect(addr, m.Page, m.rw())
	o.VMA("", addr).Emit()
}

// denyWriteExec maps and changes stacks after the process gave up memory that is
// writable and executable (memory-deny-write-execute).
func (m mapper) denyWriteExec() {
	pr := m.Kernel.Prot
	o := m.Observe("get")
	flags, errno := m.Kernel.Prctl(getMDWE, 0, 0, 0, 0)
	ok := o.Returned("prctl(PR_GET_MDWE)", flags, errno)
	o.Emit()
	if !ok {
		return
	}
	o = m.Observe("set")
	none, errno := m.Kernel.Prctl(setMDWE, mdweRefuseExecGain, 0, 0, 0)
	ok = o.Returned("prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN)", none, errno)
	o.Emit()
	if !ok {
		return
	}
	for _, kind := range []struct {
		name  string
		flags uint64
	}{
		{"plain", m.plain()}, {"stack", m.stack()},
	} {
		o := m.Observe("map." + kind.name)
		if addr, ok := o.Mmap(0, m.Page, pr.Read|pr.Write|pr.Exec, kind.flags, -1, 0); ok {
			o.VMA("", addr)
		}
		o.Emit()
		o = m.Observe("mprotect." + kind.name)
		if addr, errno := m.Kernel.Mmap(0, m.Page, m.rw(), kind.flags, -1, 0); errno != 0 {
			o.Unknown("stack", m.failure("mmap", errno))
		} else {
			o.Store("writable", addr)
			o.Mprotect(addr, m.Page, pr.Read|pr.Exec)
			o.VMA("", addr)
		}
		o.Emit()
	}
}
