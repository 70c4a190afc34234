// Package address observes where mmap puts mappings. It covers hints, the lowest
// and the highest address, the direction in which the address space fills, and the
// alignment of large mappings. It also shows what differs between runs.
package address

import (
	"strconv"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

// Main runs the probe.
func Main() {
	probe.Run(run, map[string]func(*probe.P){
		"floor":  func(p *probe.P) { placer{p}.floor() },
		"low":    func(p *probe.P) { placer{p}.low() },
		"layout": func(p *probe.P) { placer{p}.layout() },
		"under":  func(p *probe.P) { placer{p}.under() },
		"align":  func(p *probe.P) { placer{p}.align() },
		"space":  func(p *probe.P) { placer{p}.space() },
		"window": func(p *probe.P) { placer{p}.window() },
	})
}

func run(p *probe.P) {
	m := placer{p}
	m.hints()
	m.floors()
	low := func(p *probe.P) { placer{p}.low() }
	p.Observe("root").Copy(probe.Copy{Name: "low", Body: low}).Emit()
	p.Observe("user").Copy(probe.Copy{Name: "low", Body: low, UID: nobody}).Emit()
	m.layouts()
	p.Observe("align").Copy(probe.Copy{Name: "align", Body: func(p *probe.P) { placer{p}.align() }}).Emit()
	p.Observe("space").Copy(probe.Copy{Name: "space", Body: func(p *probe.P) { placer{p}.space() }}).Emit()
	p.Observe("window").Copy(probe.Copy{Name: "window", Body: func(p *probe.P) { placer{p}.window() }}).Emit()
}

// nobody is a user without capabilities.
const nobody = 65534

// placer makes the mappings of all steps.
type placer struct{ *probe.P }

func (m placer) rw() uint64      { return m.Kernel.Prot.Read | m.Kernel.Prot.Write }
func (m placer) private() uint64 { return m.Kernel.Map.Private | m.Kernel.Map.Anonymous }

// reserve returns the flags of mappings that only occupy addresses.
func (m placer) reserve() uint64 { return m.private() | m.Kernel.Map.NoReserve }

// outcome returns "ok", or the name of a call's error.
func (m placer) outcome(errno syscall.Errno) string {
	if errno == 0 {
		return "ok"
	}
	if name := m.Kernel.ErrnoName(int(errno)); name != "" {
		return name
	}
	return "errno " + strconv.Itoa(int(errno))
}
