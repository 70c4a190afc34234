package address

import (
	"fmt"
	"os"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// These numbers of include/uapi/linux/personality.h are the same everywhere.
const (
	noRandomize  = 0x40000
	compatLayout = 0x200000
	onlyTell     = 0xffffffff
)

const (
	legacyLayout = "/proc/sys/vm/legacy_va_layout"
	randomize    = "/proc/sys/kernel/randomize_va_space"
	// runs is the number of runs that are compared. Where the fewest bits are random
	// (11, on s390x), all agree by chance with a probability of 2^-22.
	runs = 3
	// block is the size of the mappings that show the direction. It is too large for
	// a hole between others.
	block = 1 << 30
)

// layouts observes new processes under each setting that decides their layout at
// exec.
func (m placer) layouts() {
	for n := 1; n <= runs; n++ {
		m.Observe(fmt.Sprintf("run %d", n)).Child(probe.Child{Name: "layout"}).Emit()
	}
	for _, how := range []string{"compat", "unlimited", "fixed"} {
		m.Observe(how).Copy(probe.Copy{Name: "under", Args: []string{how}, Body: func(p *probe.P) { placer{p}.under() }}).Emit()
	}

	before, err := os.ReadFile(legacyLayout)
	o := m.Observe("legacy set")
	if err == nil {
		err = os.WriteFile(legacyLayout, []byte("1"), 0)
	}
	if err != nil {
		o.Unknown("value", err.Error()).Emit()
		return
	}
	content(o, "value", legacyLayout).Emit()
	m.Observe("legacy").Child(probe.Child{Name: "layout"}).Emit()
	o = m.Observe("legacy restored")
	if err := os.WriteFile(legacyLayout, before, 0); err != nil {
		o.Unknown("value", err.Error()).Emit()
		return
	}
	content(o, "value", legacyLayout).Emit()
}

// under changes a setting that its children inherit, and starts them.
func (m placer) under() {
	how := ""
	if len(m.Args) == 1 {
		how = m.Args[0]
	}
	o := m.Observe("set")
	ok := false
	switch how {
	case "compat":
		ok = m.persona(o, compatLayout)
	case "fixed":
		ok = m.persona(o, noRandomize)
	case "unlimited":
		limit := sys.Rlimit{Current: ^uint64(0), Max: ^uint64(0)}
		ok = o.Returned("prlimit64(RLIMIT_STACK, infinity)", 0, m.Kernel.Prlimit64(m.Kernel.Rlimit.Stack, &limit, nil))
	default:
		o.Unknown("how", fmt.Sprintf("%q is nothing to run under", how))
	}
	o.Emit()
	if !ok {
		return
	}
	for n := 1; n <= runs; n++ {
		m.Observe(fmt.Sprintf("run %d", n)).Child(probe.Child{Name: "layout"}).Emit()
	}
}

// persona adds a bit to the personality, which children inherit.
func (m placer) persona(o *probe.Obs, bit uint64) bool {
	before, errno := m.Kernel.Personality(onlyTell)
	if errno == 0 {
		before, errno = m.Kernel.Personality(uint64(before) | bit)
	}
	return o.Returned(fmt.Sprintf("personality(before | %#x)", bit), before, errno)
}

// layout observes this process: the settings that decided its layout, where the
// kernel put things at exec, and where mappings go.
func (m placer) layout() {
	m.places()
	o := m.Observe("conditions")
	m.stackLimit(o)
	if persona, errno := m.Kernel.Personality(onlyTell); errno != 0 {
		o.Unknown("personality", m.outcome(errno))
	} else {
		o.Set("personality", persona)
	}
	content(o, "legacy", legacyLayout)
	content(o, "randomize", randomize).Emit()
	for _, step := range []string{"first", "second"} {
		o := m.Observe(step)
		o.Mmap(0, block, 0, m.reserve(), -1, 0)
		o.Emit()
	}
}

// places records the end of the stack, the start of the vDSO, and the end of the
// highest mapping below the stack. A top-down layout begins there. The kernel maps
// the vDSO like any other mapping, or beside the stack.
func (m placer) places() {
	o := m.Observe("places")
	defer o.Emit()
	mapped, err := probe.Layout()
	if err != nil {
		o.Unknown("stack", err.Error()).Unknown("vdso", err.Error()).Unknown("top", err.Error())
		return
	}
	var top uintptr
	for _, v := range mapped {
		switch v.Name {
		case "[stack]":
			o.Set("stack", v.End).Set("top", top)
		case "[vdso]":
			o.Set("vdso", v.Start)
		}
		top = v.End
	}
}
