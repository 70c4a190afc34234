// Command protection observes the protections that CPUs and kernels differ in:
// PROT_WRITE and PROT_EXEC alone, bits that mean nothing, bits that only some
// CPUs have, and what security modules allow.
package main

import (
	"os"
	"strings"
	"time"

	"github.com/mapstack/conformance/poc/probe"
)

func main() {
	probe.Run(run, map[string]func(*probe.P){
		"write":   func(p *probe.P) { memory{p}.writeOnly() },
		"execute": func(p *probe.P) { memory{p}.executeOnly() },
		"allowed": func(p *probe.P) { memory{p}.allowed() },
	})
}

func run(p *probe.P) {
	m := memory{p}
	words := m.processor()
	// Reading what may not be read can take for ever: MIPS CPUs without RIXI
	// repeat the access as long as the kernel finds nothing wrong with it.
	p.Observe("write").Child(probe.Child{Name: "write", Limit: accessLimit}).Emit()
	m.unknownBits()
	m.optionalBits()
	m.modules()
	// Last, because it did harm to what came after: see executeOnly.
	args := []string{}
	if words[optional] && !words["rixi"] {
		args = append(args, unread)
	}
	p.Observe("execute").Child(probe.Child{Name: "execute", Args: args, Limit: accessLimit}).Emit()
}

// optional is the line of /proc/cpuinfo that lists the features of MIPS CPUs.
const optional = "Options implemented"

// accessLimit is ten times what the slowest machine needs.
const accessLimit = 20 * time.Second

// nobody is a user without capabilities.
const nobody = 65534

// memory maps what the steps use.
type memory struct{ *probe.P }

func (m memory) rw() uint64      { return m.Kernel.Prot.Read | m.Kernel.Prot.Write }
func (m memory) private() uint64 { return m.Kernel.Map.Private | m.Kernel.Map.Anonymous }

// filled maps readable and writable pages and writes to the first. A failure is
// the step's outcome.
func (m memory) filled(o *probe.Obs, pages uintptr) (uintptr, bool) {
	addr, errno := m.Kernel.Mmap(0, pages*m.Page, m.rw(), m.private(), -1, 0)
	if errno != 0 {
		o.Unknown("filled", "mmap: "+m.Outcome(errno))
		return 0, false
	}
	o.Store("filled", addr)
	return addr, true
}

// processor records the features that decide about protections, as far as the
// kernel lists features under a name it uses for them.
func (m memory) processor() map[string]bool {
	o := m.Observe("processor")
	defer o.Emit()
	wanted := []string{
		"ospke", // amd64: protection keys, in use
		"bti",   // arm64: branch target identification
		"mte",   // arm64: memory tagging
		"rixi",  // mips: pages that cannot be read, or not be executed
	}
	words, err := features()
	for _, name := range wanted {
		if err != nil {
			o.Unknown(name, err.Error())
			continue
		}
		o.Set(name, words[name])
	}
	return words
}

// features are those of the first CPU; the lines that list them have different
// names ("flags" on amd64, "Features" on arm64, "Options implemented" on mips),
// and some kernels have none.
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
		case "flags", "Features", optional:
			found[strings.TrimSpace(parts[0])] = true
			for _, word := range strings.Fields(parts[1]) {
				found[word] = true
			}
			return found, nil
		}
	}
	return found, nil
}
