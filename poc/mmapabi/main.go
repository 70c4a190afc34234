// Command mmapabi observes what each number that mmap takes really does: the
// constants of this architecture, every other bit, and the rules that decide
// which combinations mmap accepts.
package main

import (
	"fmt"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

func main() {
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
	p.Observe("locked").Child(probe.Child{Name: "locked"}).Emit()
	p.Observe("grow").Child(probe.Child{Name: "grow"}).Emit()
	p.Observe("full").Child(probe.Child{Name: "full"}).Emit()
}

// memory is the probe with the words that most steps use.
type memory struct {
	*probe.P
	room    uintptr // roomPages free pages that nothing else gets
	lacking error   // why there is no room
}

// pages is how many pages most mappings have.
const pages = 16

func (m memory) rw() uint64      { return m.Kernel.Prot.Read | m.Kernel.Prot.Write }
func (m memory) private() uint64 { return m.Kernel.Map.Private | m.Kernel.Map.Anonymous }

// try maps n pages anywhere, unmaps them again, and tells how it ended.
func (m memory) try(n uintptr, prot, flags uint64, fd int) string {
	addr, errno := m.Kernel.Mmap(0, n*m.Page, prot, flags, fd, 0)
	if errno == 0 {
		m.Kernel.Munmap(addr, n*m.Page)
	}
	return m.Outcome(errno)
}

// call observes a mapping of n pages that is made at addr and removed again.
func (m memory) call(step string, addr, n uintptr, prot, flags uint64, fd int) {
	o := m.Observe(step)
	if got, ok := o.Mmap(addr, n*m.Page, prot, flags, fd, 0); ok {
		m.Kernel.Munmap(got, n*m.Page)
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

// withFile runs steps that need a file; without one they are not observed, and
// "file" says why.
func (m memory) withFile(step string, steps func(fd int)) {
	fd, err := m.file(pages)
	if err != nil {
		m.Observe(step).Unknown("file", err.Error()).Emit()
		return
	}
	steps(fd)
	syscall.Close(fd)
}
