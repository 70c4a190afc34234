package trace

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
)

// Calls describes the system calls at which the threads of one tracer stop. It asks
// with PTRACE_GET_SYSCALL_INFO, which came with Linux 5.3. An older kernel shows the
// same in the registers of the thread. They do not say whether a call begins or ends
// there, so Calls remembers that for each thread: the two stops alternate.
type Calls struct {
	table abi.Table
	audit uint32
	// refused is the answer of a kernel that does not know PTRACE_GET_SYSCALL_INFO.
	refused syscall.Errno
	inside  map[int]bool // threads whose latest stop was the entry of a call
}

// NewCalls returns what describes the calls of programs of an architecture. audit is
// its AUDIT_ARCH_* (include/uapi/linux/audit.h), which becomes Info.Arch.
func NewCalls(k abi.Table, audit uint32) *Calls {
	return &Calls{table: k, audit: audit, inside: map[int]bool{}}
}

// By returns the source of the descriptions, for people.
func (c *Calls) By() string {
	if c.refused != 0 {
		return "registers"
	}
	return "PTRACE_GET_SYSCALL_INFO"
}

// At describes the call at which a thread stopped because it begins or ends. It must
// be called at every such stop of the thread.
func (c *Calls) At(tid int) (*Info, error) {
	operation := uint8(Entry)
	if c.inside[tid] {
		operation = Exit
	}
	info, err := c.As(tid, operation)
	if err == nil {
		c.inside[tid] = info.Operation == Entry
	}
	return info, err
}

// As describes the call at which a thread stopped, if the caller knows where in the
// call: Entry, Exit or Seccomp. If the kernel says so too, its word counts.
func (c *Calls) As(tid int, operation uint8) (*Info, error) {
	if c.refused == 0 {
		info, errno := SyscallInfo(tid)
		switch errno {
		case 0:
			return info, nil
		case syscall.EIO: // what ptrace answers to a request that it does not know
			c.refused = errno
		default:
			return nil, fmt.Errorf("PTRACE_GET_SYSCALL_INFO: %w", errno)
		}
	}
	return c.shown(tid, operation)
}

// Within notes that a thread is in the middle of a call, although it did not stop at its
// entry: it executed another program, or a filter stopped it. The end of that call is its
// next stop.
func (c *Calls) Within(tid int) { c.inside[tid] = true }

// Gone notes that a thread has ended. Its number may be given to another one.
func (c *Calls) Gone(tid int) { delete(c.inside, tid) }

// shown reads a call from the registers of its thread.
func (c *Calls) shown(tid int, operation uint8) (*Info, error) {
	places, known := placesOf(c.table)
	if !known {
		return nil, fmt.Errorf("PTRACE_GET_SYSCALL_INFO answers %s, and the places of a call in the registers of %s are not known",
			c.table.ErrnoName(int(c.refused)), c.table.GOARCH)
	}
	w, err := RegistersOf(tid)
	if errors.Is(err, syscall.ESRCH) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("PTRACE_GET_SYSCALL_INFO answers %s, and the registers cannot be read: %w", c.table.ErrnoName(int(c.refused)), err)
	}
	info := &Info{Operation: operation}
	if w.bytes < places.least() {
		// A program of another architecture, whose registers have other places.
		if narrow, known := narrowOf(c.table); known && w.bytes == narrow.bytes() {
			narrow.show(info, w)
		}
		return info, nil
	}
	info.Arch, info.Instruction, info.Stack = c.audit, w.All[places.instruction], w.All[places.stack]
	if operation == Exit {
		info.SetResult(places.result(w))
		return info, nil
	}
	info.Words[0] = w.All[places.number]
	for i, at := range places.arguments {
		info.Words[1+i] = w.All[at]
	}
	return info, nil
}

// SetResult stores the value of a call that ended, or minus its errno.
func (i *Info) SetResult(value uint64, failed bool) {
	i.Words[0] = value
	is := (*uint8)(unsafe.Pointer(&i.Words[1]))
	if *is = 0; failed {
		*is = 1
	}
}
