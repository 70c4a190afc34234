package mmapabi

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

// The bits of a flag word above the type. Every MAP_* flag of every architecture is
// one of them.
const (
	firstBit = 4
	lastBit  = 26 // MAP_UNINITIALIZED; where that is not defined, the lowest bit of a huge page's size
)

// bits observes every single bit beside PRIVATE|ANONYMOUS: the mapping that it
// gives, and its effect on an occupied address. A bit may do only what it means
// here, whatever it is called on other architectures.
func (m memory) bits() {
	m.bit("plain", 0)
	for n := firstBit; n <= lastBit; n++ {
		bit := uint64(1) << n
		m.bit(fmt.Sprintf("bit %#x", bit), bit)
	}
}

func (m memory) bit(step string, bit uint64) {
	o := m.Observe(step)
	defer o.Emit()
	// Without a hint, a bit that means MAP_FIXED would map page 0.
	hint, err := m.hole(4 * pages)
	if err != nil {
		o.Unknown("hole", err.Error())
		return
	}
	hint += pages * m.Page
	if addr, ok := o.Mmap(hint, pages*m.Page, m.rw(), m.private()|bit, -1, 0); ok {
		o.Resident("resident", addr, pages).VMA("", addr)
		m.release(addr, pages*m.Page)
	}
	o.Set("bare", m.bare(hint, bit))
	m.occupied(o, bit)
}

// bare makes the same call without MAP_ANONYMOUS and without a file.
func (m memory) bare(hint uintptr, bit uint64) string {
	addr, errno := m.Kernel.Mmap(hint, m.Page, m.rw(), m.Kernel.Map.Private|bit, -1, 0)
	if errno == 0 {
		m.release(addr, m.Page)
	}
	return m.Outcome(errno)
}

// occupied maps with the bit over a page that has content.
func (m memory) occupied(o *probe.Obs, bit uint64) {
	taken, errno := m.Kernel.Mmap(0, m.Page, m.rw(), m.private(), -1, 0)
	if errno != 0 {
		o.Unknown("occupied", "map the page to be hit: "+m.Outcome(errno))
		return
	}
	o.Store("stored", taken)
	addr, errno := m.Kernel.Mmap(taken, m.Page, m.rw(), m.private()|bit, -1, 0)
	switch {
	case errno != 0:
		o.Set("occupied", m.Outcome(errno))
	case addr == taken:
		o.Set("occupied", "replaced")
	default:
		o.Set("occupied", "elsewhere")
		m.release(addr, m.Page)
	}
	o.Byte("kept", taken)
	m.Kernel.Munmap(taken, m.Page)
}

// isUnsupported reports the error of a kernel with huge pages on a machine without
// them: it shows the sysctl and refuses to read it (hugetlb_sysctl_handler_common).
func isUnsupported(err error) bool { return errors.Is(err, syscall.EOPNOTSUPP) }

// environment observes the settings that change what flags do.
func (m memory) environment() {
	o := m.Observe("environment")
	for key, path := range map[string]string{
		"overcommit": "/proc/sys/vm/overcommit_memory",
		"hugepages":  "/proc/sys/vm/nr_hugepages", // exists only where huge pages do
	} {
		text, err := os.ReadFile(path)
		switch {
		case err == nil:
			o.Set(key, strings.TrimSpace(string(text)))
		case os.IsNotExist(err), isUnsupported(err): // both mean that there are no huge pages
		default:
			o.Unknown(key, err.Error())
		}
	}
	o.Emit()
}
