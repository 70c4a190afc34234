// Package mmapabi observes what each number that mmap takes really does. It tries
// the constants of this architecture, every other bit, and the rules by which mmap
// accepts combinations.
package mmapabi

import (
	"fmt"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

// Main runs the probe.
func Main() {
	probe.Run(run, map[string]func(*probe.P){"locked": lockedLimits, "grow": growth, "full": full})
}

func run(p *probe.P) {
	m := survey(p)
	m.basics()
	m.environment()
	m.bits()
	m.types()
	m.unknownBits()
	m.validated()
	m.protections()
	m.fixed()
	m.arguments()
	m.descriptors()
	m.huge()
	m.growsDown()
	m.discard()
	m.files()
	m.alike()
	p.Observe("locked").Child(probe.Child{Name: "locked"}).Emit()
	p.Observe("grow").Child(probe.Child{Name: "grow"}).Emit()
	p.Observe("full").Child(probe.Child{Name: "full"}).Emit()
}

// memory is the probe with the protections and flags that most steps use.
type memory struct {
	*probe.P
	room    uintptr // address of roomPages free pages that nothing else uses
	lacking error   // why there is no room
}

// pages is the length of most mappings, in pages.
const pages = 16

func (m memory) rw() uint64      { return m.Kernel.Prot.Read | m.Kernel.Prot.Write }
func (m memory) private() uint64 { return m.Kernel.Map.Private | m.Kernel.Map.Anonymous }

// release unmaps what a step mapped. Huge pages are unmapped as a whole, because munmap
// refuses to split one, and each that stayed mapped would be missing afterwards.
func (m memory) release(addr, length uintptr) {
	if m.Kernel.Munmap(addr, length) == 0 {
		return
	}
	if v, ok, err := probe.Lookup(addr); err == nil && ok && v.Start == addr {
		m.Kernel.Munmap(v.Start, v.End-v.Start)
	}
}

// try maps n pages anywhere, unmaps them again, and returns the outcome.
func (m memory) try(n uintptr, prot, flags uint64, fd int) string {
	addr, errno := m.Kernel.Mmap(0, n*m.Page, prot, flags, fd, 0)
	if errno == 0 {
		m.release(addr, n*m.Page)
	}
	return m.Outcome(errno)
}

// call observes a mapping of n pages at addr, and unmaps it.
func (m memory) call(step string, addr, n uintptr, prot, flags uint64, fd int) {
	o := m.Observe(step)
	if got, ok := o.Mmap(addr, n*m.Page, prot, flags, fd, 0); ok {
		m.release(got, n*m.Page)
	}
	o.Emit()
}

// file returns a new file of n pages in memory.
func (m memory) file(n uintptr) (int, error) {
	fd, errno := m.Kernel.MemfdCreate("mmapabi", 0)
	if errno != 0 {
		return -1, fmt.Errorf("memfd_create: %s", m.Outcome(errno))
	}
	if err := syscall.Ftruncate(fd, int64(n*m.Page)); err != nil {
		syscall.Close(fd)
		return -1, fmt.Errorf("grow the file: %w", err)
	}
	return fd, nil
}

// withFile runs steps that need a file. If there is none, they are not observed and
// "file" has the reason.
func (m memory) withFile(step string, steps func(fd int)) {
	fd, err := m.file(pages)
	if err != nil {
		m.Observe(step).Unknown("file", err.Error()).Emit()
		return
	}
	steps(fd)
	syscall.Close(fd)
}
