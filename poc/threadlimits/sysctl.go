package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
)

// setting is a sysctl that is changed for a moment. What a moment needs is
// opened and formatted before it: until the restore, the machine may have no
// room for another thread.
type setting struct {
	name string
	fd   int
	was  []byte
}

// open prepares to change a sysctl, by its path below /proc/sys.
func open(name string) (*setting, error) {
	path := "/proc/sys/" + name
	was, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &setting{name: name, fd: fd, was: was}, nil
}

func mustOpen(name string) *setting {
	s, err := open(name)
	must(err)
	return s
}

// set writes a value.
func (s *setting) set(value []byte) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PWRITE64, uintptr(s.fd),
		uintptr(unsafe.Pointer(&value[0])), uintptr(len(value)), 0, 0, 0)
	return errno
}

// restore writes what was there. Everything after a failure would be about
// another machine, so it ends the process.
func (s *setting) restore() {
	if errno := s.set(s.was); errno != 0 {
		panic(fmt.Sprintf("restore %s: %v", s.name, errno))
	}
}

func (s *setting) value() string {
	b, err := os.ReadFile("/proc/sys/" + s.name)
	must(err)
	return strings.TrimSpace(string(b))
}

// wrote records a write.
func (s *setting) wrote(p *probe.P, step, value string, errno syscall.Errno) *probe.Obs {
	o := p.Observe(step)
	o.Returned(fmt.Sprintf("write %q to %s", value, s.name), 0, errno)
	return o
}

// defaults is what the kernel derived from the size of memory at boot.
func defaults(p *probe.P) {
	o := p.Observe("defaults")
	for key, path := range map[string]string{
		"threads-max": "/proc/sys/kernel/threads-max", "pid_max": "/proc/sys/kernel/pid_max",
		"possible": "/sys/devices/system/cpu/possible",
	} {
		b, err := os.ReadFile(path)
		if err != nil {
			o.Unknown(key, err.Error())
			continue
		}
		o.Set(key, strings.TrimSpace(string(b)))
	}
	// That of the first process; this one may have been given another.
	limits, err := os.ReadFile("/proc/1/limits")
	if err != nil {
		o.Unknown("nproc", err.Error())
	}
	for _, line := range strings.Split(string(limits), "\n") {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "processes" {
			o.Set("nproc", f[2]).Set("nproc.max", f[3])
		}
	}
	if kib, err := number("/proc/meminfo", "MemTotal"); err != nil {
		o.Unknown("memtotal", err.Error())
	} else {
		o.Set("memtotal", kib)
	}
	o.Emit()
}
