package probe

import (
	"fmt"
	"syscall"

	"github.com/mapstack/conformance/poc/wire"
)

// Obs is an observation in progress. Emit ends it.
type Obs struct {
	p *P
	o wire.Observation
}

// Observe begins the observation of a step. Its name must be new in this run.
func (p *P) Observe(step string) *Obs {
	if p.seen[step] {
		panic("probe: step " + step + " is observed twice")
	}
	p.seen[step] = true
	return &Obs{p: p, o: wire.Observation{Step: step}}
}

// Emit writes the observation.
func (o *Obs) Emit() { o.p.emit(o.o) }

// Around makes a call after which this process may get no more memory, and writes the
// observation. The line that says that the call succeeded is made before it.
func (o *Obs) Around(call string, do func() syscall.Errno) {
	o.Returned(call, 0, 0)
	line := encode(o.o)
	if errno := do(); errno != 0 {
		o.o.Ret = ""
		o.Returned(call, 0, errno)
		o.Emit()
		return
	}
	o.p.write(line)
}

// Set records a value. Addresses (uintptr) are in hexadecimal, anything else is
// formatted by fmt.Sprint.
func (o *Obs) Set(key string, value interface{}) *Obs {
	if o.o.Values == nil {
		o.o.Values = map[string]string{}
	}
	if addr, ok := value.(uintptr); ok {
		value = fmt.Sprintf("%#x", addr)
	}
	o.o.Values[key] = fmt.Sprint(value)
	return o
}

// Unknown records that a value could not be determined, and why.
func (o *Obs) Unknown(key, reason string) *Obs {
	if o.o.Unknown == nil {
		o.o.Unknown = map[string]string{}
	}
	o.o.Unknown[key] = reason
	return o
}

// Returned records a call, as a person would write it, and its result. It reports
// whether the call succeeded.
func (o *Obs) Returned(call string, ret uintptr, errno syscall.Errno) bool {
	o.o.Call = call
	if errno != 0 {
		o.o.Errno = int(errno)
		o.o.Error = o.p.Kernel.ErrnoName(int(errno))
		return false
	}
	o.o.Ret = fmt.Sprintf("%#x", ret)
	return true
}

// Mmap makes the step's call. It returns the address, and whether the call
// succeeded.
func (o *Obs) Mmap(addr, length uintptr, prot, flags uint64, fd int, offset int64) (uintptr, bool) {
	ret, errno := o.p.Kernel.Mmap(addr, length, prot, flags, fd, offset)
	call := fmt.Sprintf("mmap(%#x, %#x, %#x, %#x, %d, %#x)", addr, length, prot, flags, fd, offset)
	return ret, o.Returned(call, ret, errno)
}

// Munmap makes the step's call and reports whether it succeeded.
func (o *Obs) Munmap(addr, length uintptr) bool {
	return o.Returned(fmt.Sprintf("munmap(%#x, %#x)", addr, length), 0, o.p.Kernel.Munmap(addr, length))
}

// Mprotect makes the step's call and reports whether it succeeded.
func (o *Obs) Mprotect(addr, length uintptr, prot uint64) bool {
	return o.Returned(fmt.Sprintf("mprotect(%#x, %#x, %#x)", addr, length, prot), 0, o.p.Kernel.Mprotect(addr, length, prot))
}

// Madvise makes the step's call and reports whether it succeeded.
func (o *Obs) Madvise(addr, length uintptr, advice uint64) bool {
	return o.Returned(fmt.Sprintf("madvise(%#x, %#x, %d)", addr, length, advice), 0, o.p.Kernel.Madvise(addr, length, advice))
}
