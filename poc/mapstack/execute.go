package mapstack

import (
	"os"
	"strings"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
)

// returns has the instruction that returns to the caller, as it is in memory, by GOARCH.
// MIPS has a delay slot behind it.
var returns = map[string][]byte{
	"alpha":    {0x01, 0x80, 0xfa, 0x6b},                         // ret $31,($26),1
	"amd64":    {0xc3},                                           // ret
	"arm64":    {0xc0, 0x03, 0x5f, 0xd6},                         // ret
	"loong64":  {0x20, 0x00, 0x00, 0x4c},                         // jirl $zero, $ra, 0
	"mips64le": {0x08, 0x00, 0xe0, 0x03, 0x00, 0x00, 0x00, 0x00}, // jr $ra; nop
	"ppc64le":  {0x20, 0x00, 0x80, 0x4e},                         // blr
	"riscv64":  {0x67, 0x80, 0x00, 0x00},                         // jalr zero, 0(ra)
	"s390x":    {0x07, 0xfe},                                     // br %r14
	"sw64":     {0x01, 0x00, 0xfa, 0x0b},                         // ret $31,($26),1
}

// way is how memory comes to the protection under which its code is called.
type way struct {
	name   string
	mapped uint64 // protection that mmap gets
	opened uint64 // protection that mprotect gives it afterwards, 0 for no change
}

func (m mapper) ways() []way {
	p := m.Kernel.Prot
	return []way{
		{"rw", m.rw(), 0},
		{"rx", p.Read | p.Exec, 0},
		{"rwx", m.rw() | p.Exec, 0},
		{"x", p.Exec, 0},
		{"opened", m.rw(), p.Read | p.Exec},
	}
}

// execution calls code in memory of each kind. Each call has a child of its own, which
// may die of it.
func (m mapper) execution() {
	m.processor()
	for _, kind := range m.kinds() {
		for _, way := range m.ways() {
			m.Observe("run." + kind.name + "." + way.name).Copy(probe.Copy{
				Name: "run", Args: []string{kind.name, way.name}, Body: func(p *probe.P) { mapper{p}.run(p.Args) },
			}).Emit()
		}
	}
}

// processor records what decides whether data can be executed: the CPU's features, if
// the kernel lists them, and the kernel's command line.
func (m mapper) processor() {
	o := m.Observe("processor")
	defer o.Emit()
	words, err := listed("/proc/cpuinfo", "flags", "Options implemented", "facilities")
	for key, word := range map[string]string{
		"nx":   "nx",   // amd64
		"rixi": "rixi", // mips
		"iep":  "130",  // s390x: instruction-execution protection is facility 130
	} {
		if err != nil {
			o.Unknown(key, err.Error())
			continue
		}
		o.Set(key, words[word])
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		o.Unknown("noexec=off", err.Error())
		return
	}
	o.Set("noexec=off", strings.Contains(" "+string(line)+" ", " noexec=off"))
}

// listed returns the words of the first line of a file that has one of the names before
// its colon. It returns none if there is no such line.
func listed(path string, names ...string) (map[string]bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		parts := strings.SplitN(line, ":", 2)
		for _, name := range names {
			if len(parts) != 2 || strings.TrimSpace(parts[0]) != name {
				continue
			}
			for _, word := range strings.Fields(parts[1]) {
				found[word] = true
			}
			return found, nil
		}
	}
	return found, nil
}

// run is the child of execution. It copies a return instruction to new memory and calls
// it. If that ends the child, the step "returned" is missing.
func (m mapper) run(args []string) {
	code, known := returns[m.Kernel.GOARCH]
	for _, kind := range m.kinds() {
		for _, way := range m.ways() {
			if len(args) != 2 || args[0] != kind.name || args[1] != way.name {
				continue
			}
			o := m.Observe("map")
			if !known {
				o.Unknown("placed", "this probe knows no return instruction of "+m.Kernel.GOARCH).Emit()
				return
			}
			m.runCode(o, kind.flags, way, code)
		}
	}
}

func (m mapper) runCode(o *probe.Obs, flags uint64, way way, code []byte) {
	addr, ok := o.Mmap(0, m.Page, way.mapped, flags, -1, 0)
	if ok {
		ok = m.place(o, addr, way.mapped, code)
		o.VMA("", addr)
	}
	o.Emit()
	if !ok {
		return
	}
	if way.opened != 0 {
		o := m.Observe("mprotect")
		ok := o.Mprotect(addr, m.Page, way.opened)
		o.VMA("", addr).Emit()
		if !ok {
			return
		}
	}
	call(addr)
	m.Observe("returned").Set("from", addr).Emit()
}

// place copies code to memory, whatever its protection. The kernel does it as for a
// debugger that sets a breakpoint, so that it also flushes the instruction cache. If a
// hardened kernel refuses that, the memory is made writable for a moment.
func (m mapper) place(o *probe.Obs, addr uintptr, prot uint64, code []byte) bool {
	f, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt(code, int64(addr))
		f.Close()
	}
	if err == nil {
		o.Set("placed", "by /proc/self/mem")
		return true
	}
	if errno := m.Kernel.Mprotect(addr, m.Page, m.rw()); errno != 0 {
		o.Unknown("placed", err.Error()+"; "+m.failure("mprotect", errno))
		return false
	}
	for i, b := range code {
		*pointer(addr + uintptr(i)) = b
	}
	if errno := m.Kernel.Mprotect(addr, m.Page, prot); errno != 0 {
		o.Unknown("placed", err.Error()+"; "+m.failure("mprotect", errno))
		return false
	}
	o.Set("placed", "by mprotect")
	return true
}

// pointer returns the memory at an address outside Go's own memory. See package probe
// for why it converts the address of the number.
func pointer(addr uintptr) *byte { return *(**byte)(unsafe.Pointer(&addr)) }

// call calls the code at an address. A func value is the address of a word that holds
// the address of the code. It is not inlined, so that the caller has a frame.
//
//go:noinline
func call(addr uintptr) {
	value := &addr
	(*(*func())(unsafe.Pointer(&value)))()
}
