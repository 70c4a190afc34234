package protection

import (
	"fmt"
	"os"
	"strings"

	"github.com/mapstack/conformance/poc/probe"
)

// ptraceScope is Yama's sysctl. The value 3 could not be undone; 2 can.
const ptraceScope = "/proc/sys/kernel/yama/ptrace_scope"

// modules observes what an ordinary user may map under the active security modules,
// and under a strict Yama.
func (m memory) modules() {
	o := m.Observe("modules")
	content(o, "active", "/sys/kernel/security/lsm").Emit()
	const getMDWE = 66 // PR_GET_MDWE, include/uapi/linux/prctl.h
	o = m.Observe("mdwe")
	flags, errno := m.Kernel.Prctl(getMDWE, 0, 0, 0, 0)
	o.Returned("prctl(PR_GET_MDWE)", flags, errno)
	o.Emit()
	m.Observe("user").Child(probe.Child{Name: "allowed", UID: nobody}).Emit()

	before, err := os.ReadFile(ptraceScope)
	o = m.Observe("yama set")
	if err == nil {
		err = os.WriteFile(ptraceScope, []byte("2"), 0)
	}
	if err != nil {
		o.Unknown("scope", err.Error()).Emit()
		return
	}
	content(o, "scope", ptraceScope).Emit()
	m.Observe("yama").Child(probe.Child{Name: "allowed", UID: nobody}).Emit()
	o = m.Observe("yama restored")
	if err := os.WriteFile(ptraceScope, before, 0); err != nil {
		o.Unknown("scope", err.Error()).Emit()
		return
	}
	content(o, "scope", ptraceScope).Emit()
}

// allowed observes every protection, with and without MAP_STACK. It touches only
// memory that every CPU can write and read.
func (m memory) allowed() {
	o := m.Observe("who").Set("uid", os.Getuid())
	o.Emit()
	for _, kind := range []struct {
		name  string
		flags uint64
	}{
		{"plain", m.private()}, {"stack", m.private() | m.Kernel.Map.Stack},
	} {
		all := m.rw() | m.Kernel.Prot.Exec
		for prot := uint64(0); prot <= all; prot++ {
			o := m.Observe(fmt.Sprintf("%s %d", kind.name, prot))
			if addr, ok := o.Mmap(0, m.Page, prot, kind.flags, -1, 0); ok {
				o.VMA("", addr)
				if prot&m.rw() == m.rw() {
					o.Store("store", addr)
				}
				m.Kernel.Munmap(addr, m.Page)
			}
			o.Emit()
		}
	}
}

// content records the content of a small file, trimmed.
func content(o *probe.Obs, key, path string) *probe.Obs {
	b, err := os.ReadFile(path)
	if err != nil {
		return o.Unknown(key, err.Error())
	}
	return o.Set(key, strings.TrimSpace(string(b)))
}
