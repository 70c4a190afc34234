package address

import (
	"fmt"
	"os"
	"strings"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

const (
	minAddr = "/proc/sys/vm/mmap_min_addr"
	// raised is the value written to the sysctl. It is above the programs, so that
	// the addresses around it are free. It is also above the floor of the security
	// modules (CONFIG_LSM_MMAP_MIN_ADDR), which no file shows.
	raised = 1 << 24
)

// floors raises the floor in a child, and restores it whatever happens to the
// child.
func (m placer) floors() {
	before, err := os.ReadFile(minAddr)
	m.Observe("floor").Copy(probe.Copy{Name: "floor", Body: func(p *probe.P) { placer{p}.floor() }}).Emit()
	o := m.Observe("floor restored")
	if err == nil {
		err = os.WriteFile(minAddr, before, 0)
	}
	if err != nil {
		o.Unknown("value", err.Error())
	} else {
		content(o, "value", minAddr)
	}
	o.Emit()
}

// floor observes hints below the lowest address that mmap gives. It does so with
// the machine's own setting, and with the setting raised.
func (m placer) floor() {
	m.below("one page", 0x1000)
	// Rounded down to a page, this hint is 0, which means none.
	m.below("less than a page", m.Page-1)

	o := m.Observe("raise")
	if err := os.WriteFile(minAddr, []byte(fmt.Sprint(raised)), 0); err != nil {
		o.Unknown("value", err.Error()).Emit()
		return
	}
	content(o, "value", minAddr).Emit()
	for _, step := range []struct {
		name string
		at   uintptr
	}{
		{"raised, one page", m.Page},
		{"raised, a page below", raised - m.Page},
		{"raised, at", raised},
		{"raised, a page above", raised + m.Page},
	} {
		m.hint(step.name, step.at)
	}
	m.fixed("raised, root a page below", raised-m.Page)
	o = m.Observe("become user")
	ok := o.Returned(fmt.Sprintf("setresuid(%d, %[1]d, %[1]d)", nobody), 0, m.Kernel.Setresuid(nobody, nobody, nobody))
	o.Emit()
	if ok {
		m.fixed("raised, user a page below", raised-m.Page)
		m.fixed("raised, user at", raised)
	}
}

// below maps with a hint, and without one for comparison.
func (m placer) below(step string, hint uintptr) {
	o := m.Observe(step)
	content(o, "floor", minAddr)
	o.Set("asked", hint)
	// Pages without a fixed address are placed close together, top-down or
	// bottom-up. Two of them are never further apart than the length of all mappings
	// together.
	content(o, "vmsize", "/proc/self/statm")
	if plain, errno := m.Kernel.Mmap(0, m.Page, m.rw(), m.private(), -1, 0); errno != 0 {
		o.Unknown("plain", "mmap without a hint: "+m.outcome(errno))
	} else {
		o.Set("plain", plain)
		m.Kernel.Munmap(plain, m.Page)
	}
	if addr, ok := o.Mmap(hint, m.Page, m.rw(), m.private(), -1, 0); ok {
		o.Store("store", addr)
		m.Kernel.Munmap(addr, m.Page)
	}
	o.Emit()
}

// low observes fixed mappings at the bottom of the address space. On most
// architectures programs begin above the addresses that it tries.
func (m placer) low() {
	o := m.Observe("who").Set("uid", os.Getuid())
	content(o, "floor", minAddr).Emit()
	for _, at := range []uintptr{0, 0x1000, 0x4000, 0x8000} {
		if at%m.Page == 0 {
			m.fixed(fmt.Sprintf("fixed %#x", at), at)
		}
	}
}

// fixed maps a page with MAP_FIXED, if nothing is mapped at the address.
func (m placer) fixed(step string, at uintptr) {
	o := m.Observe(step)
	defer o.Emit()
	o.Set("asked", at)
	free, known := m.free(o, at, m.Page)
	if !known {
		return
	}
	o.Set("free", free)
	if !free {
		return
	}
	if addr, ok := o.Mmap(at, m.Page, m.rw(), m.private()|m.Kernel.Map.Fixed, -1, 0); ok {
		o.Store("store", addr)
		m.Kernel.Munmap(addr, m.Page)
	}
}

// content records the first word of a small file.
func content(o *probe.Obs, key, path string) *probe.Obs {
	b, err := os.ReadFile(path)
	if err != nil {
		return o.Unknown(key, err.Error())
	}
	words := strings.Fields(string(b))
	if len(words) == 0 {
		return o.Unknown(key, path+" is empty")
	}
	return o.Set(key, words[0])
}

// stackLimit records RLIMIT_STACK.
func (m placer) stackLimit(o *probe.Obs) {
	var l sys.Rlimit
	if errno := m.Kernel.Prlimit64(m.Kernel.Rlimit.Stack, nil, &l); errno != 0 {
		o.Unknown("stack limit", "prlimit64: "+m.outcome(errno))
	} else if l.Current == ^uint64(0) {
		o.Set("stack limit", "unlimited")
	} else {
		o.Set("stack limit", l.Current)
	}
}
