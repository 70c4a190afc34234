// Package protection observes the protections in which CPUs and kernels differ. It
// covers PROT_WRITE and PROT_EXEC alone, undefined bits, bits that only some CPUs
// have, and the policy of security modules.
package protection

import (
	"os"
	"strings"
	"time"

	"github.com/mapstack/conformance/poc/probe"
)

// Main runs the probe.
func Main() {
	probe.Run(run, map[string]func(*probe.P){
		"write":   func(p *probe.P) { memory{p}.writeOnly() },
		"execute": func(p *probe.P) { memory{p}.executeOnly() },
		"allowed": func(p *probe.P) { memory{p}.allowed() },
	})
}

func run(p *probe.P) {
	m := memory{p}
	m.processor()
	// Reading memory that cannot be read may take for ever. A MIPS CPU without RIXI
	// repeats the access as long as the kernel sees nothing wrong with it.
	p.Observe("write").Child(probe.Child{Name: "write", Limit: accessLimit}).Emit()
	m.unknownBits()
	m.optionalBits()
	m.modules()
	p.Observe("execute").Child(probe.Child{Name: "execute", Limit: accessLimit}).Emit()
}

// accessLimit is ten times as long as the slowest machine needs.
const accessLimit = 20 * time.Second

// nobody is a user without capabilities.
const nobody = 65534

// memory makes the mappings of all steps.
type memory struct{ *probe.P }

func (m memory) rw() uint64      { return m.Kernel.Prot.Read | m.Kernel.Prot.Write }
func (m memory) private() uint64 { return m.Kernel.Map.Private | m.Kernel.Map.Anonymous }

// filled maps readable and writable pages and writes to the first. If it fails,
// that is the step's outcome.
func (m memory) filled(o *probe.Obs, pages uintptr, flags uint64) (uintptr, bool) {
	addr, errno := m.Kernel.Mmap(0, pages*m.Page, m.rw(), flags, -1, 0)
	if errno != 0 {
		o.Unknown("filled", "mmap: "+m.Outcome(errno))
		return 0, false
	}
	o.Store("filled", addr)
	return addr, true
}

// processor records the CPU features that affect protections, if the kernel lists
// features at all.
func (m memory) processor() {
	o := m.Observe("processor")
	defer o.Emit()
	wanted := []string{
		"ospke", // amd64: protection keys in use
		"bti",   // arm64: branch target identification
		"mte",   // arm64: memory tagging
		"rixi",  // mips: pages that cannot be read, or not executed
	}
	words, err := features()
	for _, name := range wanted {
		if err != nil {
			o.Unknown(name, err.Error())
			continue
		}
		o.Set(name, words[name])
	}
}

// features returns those of the first CPU. The line that lists them differs:
// "flags" on amd64, "Features" on arm64, "Options implemented" on mips. Some
// kernels have none.
func features() (map[string]bool, error) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		parts := strings.SplitN(line, ":", 2)
		if len(parts) != 2 {
			continue
		}
		switch strings.TrimSpace(parts[0]) {
		case "flags", "Features", "Options implemented":
			for _, word := range strings.Fields(parts[1]) {
				found[word] = true
			}
			return found, nil
		}
	}
	return found, nil
}
