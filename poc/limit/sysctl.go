package limit

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
)

// Sysctl is a sysctl that is changed for a short time. All that this needs is
// opened and formatted before. Until the value is restored, the machine may have no
// room for another thread.
type Sysctl struct {
	name string
	fd   int
	was  []byte
}

// Open prepares a change of a sysctl, which is named by its path below /proc/sys.
func Open(name string) (*Sysctl, error) {
	path := "/proc/sys/" + name
	was, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &Sysctl{name: name, fd: fd, was: was}, nil
}

// MustOpen calls Open and panics if that fails.
func MustOpen(name string) *Sysctl {
	s, err := Open(name)
	Must(err)
	return s
}

// Set writes a value and returns the error.
func (s *Sysctl) Set(value []byte) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PWRITE64, uintptr(s.fd),
		uintptr(unsafe.Pointer(&value[0])), uintptr(len(value)), 0, 0, 0)
	return errno
}

// Restore writes the original value. If that fails it panics: everything after it
// would be observed on a changed machine.
func (s *Sysctl) Restore() {
	if errno := s.Set(s.was); errno != 0 {
		panic(fmt.Sprintf("restore %s: %v", s.name, errno))
	}
}

// Was returns the value that Restore writes.
func (s *Sysctl) Was() string { return strings.TrimSpace(string(s.was)) }

// Value returns the current value.
func (s *Sysctl) Value() string {
	b, err := os.ReadFile("/proc/sys/" + s.name)
	Must(err)
	return strings.TrimSpace(string(b))
}

// Wrote begins the observation of a write and its error.
func (s *Sysctl) Wrote(p *probe.P, step, value string, errno syscall.Errno) *probe.Obs {
	o := p.Observe(step)
	o.Returned(fmt.Sprintf("write %q to %s", value, s.name), 0, errno)
	return o
}
