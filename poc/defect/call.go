// Package defect defines the defect models: named wrong behaviours of a kernel.
// Each is a rule that changes the arguments or the result of a system call. The
// rules are pure: poc/inject applies them to a running program, and the host reads
// their names and descriptions.
package defect

import (
	"github.com/mapstack/conformance/poc/abi"
)

// Call is a system call that a program is about to make. A rule changes it.
type Call struct {
	Name   string // as in Model.Calls
	Kernel abi.Table
	Page   uint64 // page size, bytes
	// Args are the arguments in the kernel's order. For mmap they are the six
	// values, even if the kernel takes the address of them.
	Args [6]uint64
	Program

	answer func(Result) Result
}

// Result is the outcome of a call.
type Result struct {
	Value uint64
	Errno int // 0 for success
}

// Indexes of mmap's arguments.
const (
	addr = iota
	length
	prot
	flags
	descriptor
	offset
)

// Indexes of other calls' arguments.
const (
	advice = 2 // of madvise; the same index is the protection of mprotect
	fd     = 0 // of read, write and pwrite64
	buffer = 1
	size   = 2
)

// Finish returns the result that the defective kernel gives instead of r.
func (c *Call) Finish(r Result) Result {
	if c.answer == nil {
		return r
	}
	return c.answer(r)
}

// Answered reports whether Finish may change the result.
func (c *Call) Answered() bool { return c.answer != nil }

// refuse makes the call fail with an error, which has this architecture's number.
// The call is changed to do nothing, and its own error is replaced.
func (c *Call) refuse(errno string) {
	c.spoil()
	c.become(Result{Errno: c.Kernel.Errno(errno)})
}

// pretend makes the call succeed without any effect.
func (c *Call) pretend(value uint64) {
	c.spoil()
	c.become(Result{Value: value})
}

func (c *Call) become(r Result) { c.answer = func(Result) Result { return r } }

// spoil changes the arguments so that the call does nothing. mmap and munmap get no
// length, mprotect and madvise an undefined number, and clone flags that contradict
// each other. clone3 gets a struct without a size. execve gets no path, write no bytes, and sched_setattr no attributes.
// sigaltstack becomes a query.
func (c *Call) spoil() {
	switch c.Name {
	case "mmap", "munmap":
		c.Args[length] = 0
	case "mprotect", "madvise":
		c.Args[advice] = 0x7fffffff
	case "clone":
		c.Args[c.place(abi.CloneFlags)] = cloneSighand
	case "clone3":
		c.Args[1] = 0
	case "execve", "sigaltstack":
		c.Args[0] = 0
	case "write", "pwrite64":
		c.Args[size] = 0
	case "sched_setattr":
		c.Args[1] = 0
	}
}

// needsFirst returns why a model that changes the first argument of a call means
// nothing on a target. It returns "" if the tracer can change that argument. On
// s390x mmap's first argument is in memory and can always be changed.
func needsFirst(t Target) string {
	if r, known := t.Table().Registers(); known && r.Args[0] == abi.Unreachable {
		return "ptrace cannot change the first argument of a call: the kernel reads it from a register that NT_PRSTATUS lacks"
	}
	return ""
}

// report replaces one error of the call by another. Other results do not change.
func (c *Call) report(from, to string) { c.replace(from, Result{Errno: c.Kernel.Errno(to)}) }

// replace changes the result of the call if it fails with the error from.
func (c *Call) replace(from string, to Result) {
	errno := c.Kernel.Errno(from)
	c.answer = func(r Result) Result {
		if r.Errno == errno {
			return to
		}
		return r
	}
}

// notice calls f if the call fails with one of the errors, and does not change the
// result.
func (c *Call) notice(f func(), errnos ...string) {
	c.answer = func(r Result) Result {
		for _, errno := range errnos {
			if r.Errno == c.Kernel.Errno(errno) {
				f()
			}
		}
		return r
	}
}

// has reports whether mmap gets a flag that the architecture defines.
func (c *Call) has(flag uint64) bool { return flag != 0 && c.Args[flags]&flag != 0 }

// mapType returns the type bits of mmap's flags.
func (c *Call) mapType() uint64 { return c.Args[flags] & c.Kernel.Map.Type }

func (c *Call) setType(t uint64) { c.Args[flags] = c.Args[flags]&^c.Kernel.Map.Type | t }

// fixed reports whether mmap must use the given address.
func (c *Call) fixed() bool { return c.has(c.Kernel.Map.Fixed | c.Kernel.Map.FixedNoReplace) }

// stack reports whether mmap gets MAP_STACK.
func (c *Call) stack() bool { return c.has(c.Kernel.Map.Stack) }

// cloneFlags returns clone's flags, in whichever argument the architecture has
// them.
func (c *Call) cloneFlags() uint64 { return c.Args[c.place(abi.CloneFlags)] }

func (c *Call) place(arg abi.CloneArg) int {
	for i, a := range c.Kernel.CloneOrder {
		if a == arg {
			return i
		}
	}
	return 0
}
