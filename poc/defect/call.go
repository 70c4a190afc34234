// Package defect is the defect models: named wrong behaviours of a kernel, as
// rules that say what becomes of a system call. The rules are pure; poc/inject
// applies them to a running program, and the host reads what they are called.
package defect

import (
	"github.com/mapstack/conformance/poc/abi"
)

// Call is a system call that a program is about to make. A rule changes it.
type Call struct {
	Name   string // of Model.Calls
	Kernel abi.Table
	Page   uint64 // page size, bytes
	// Args are the arguments in the kernel's order. Those of mmap are here also
	// where the kernel takes their address.
	Args [6]uint64
	Program

	answer func(Result) Result
}

// Result is what a call came back with.
type Result struct {
	Value uint64
	Errno int // 0 for success
}

// Places of mmap's arguments.
const (
	addr = iota
	length
	prot
	flags
	descriptor
	offset
)

// Places of other calls' arguments.
const (
	advice = 2 // of madvise; mprotect has its protection there
	fd     = 0 // of read, write and pwrite64
	buffer = 1
	size   = 2
)

// Finish gives a call's result as the defective kernel would.
func (c *Call) Finish(r Result) Result {
	if c.answer == nil {
		return r
	}
	return c.answer(r)
}

// Answered reports whether the result of the call is to be changed.
func (c *Call) Answered() bool { return c.answer != nil }

// refuse makes a call fail with an error of this architecture's number.
// The call is made so that it does nothing, and its own error is replaced.
func (c *Call) refuse(errno string) {
	c.spoil()
	c.become(Result{Errno: c.Kernel.Errno(errno)})
}

// pretend makes a call succeed without doing anything.
func (c *Call) pretend(value uint64) {
	c.spoil()
	c.become(Result{Value: value})
}

func (c *Call) become(r Result) { c.answer = func(Result) Result { return r } }

// spoil makes the call do nothing: mmap and munmap of nothing, a protection and
// an advice that have no number, flags that contradict each other, a program
// without a name, text without a length, a query instead of a change.
func (c *Call) spoil() {
	switch c.Name {
	case "mmap", "munmap":
		c.Args[length] = 0
	case "mprotect", "madvise":
		c.Args[advice] = 0x7fffffff
	case "clone":
		c.Args[c.place(abi.CloneFlags)] = cloneSighand
	case "execve", "sigaltstack":
		c.Args[0] = 0
	case "write", "pwrite64":
		c.Args[size] = 0
	case "sched_setattr":
		c.Args[1] = 0
	}
}

// needsFirst says why a model that changes the first argument of a call, to
// another than an address on s390x, means nothing on a kernel.
func needsFirst(t Target) string {
	if r, known := t.Table().Registers(); known && r.Args[0] == abi.Unreachable {
		return "ptrace cannot change the first argument of a call: the kernel reads it from a register that NT_PRSTATUS lacks"
	}
	return ""
}

// report replaces one error of the call by another. Other results stay.
func (c *Call) report(from, to string) { c.replace(from, Result{Errno: c.Kernel.Errno(to)}) }

// replace gives the call another result when it fails with an error.
func (c *Call) replace(from string, to Result) {
	errno := c.Kernel.Errno(from)
	c.answer = func(r Result) Result {
		if r.Errno == errno {
			return to
		}
		return r
	}
}

// notice calls f when the call fails with one of some errors, and lets the
// error stand.
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

// has reports whether mmap is asked for a flag that the architecture defines.
func (c *Call) has(flag uint64) bool { return flag != 0 && c.Args[flags]&flag != 0 }

// mapType is the type among mmap's flags.
func (c *Call) mapType() uint64 { return c.Args[flags] & c.Kernel.Map.Type }

func (c *Call) setType(t uint64) { c.Args[flags] = c.Args[flags]&^c.Kernel.Map.Type | t }

// fixed reports whether mmap is asked for an address and no other.
func (c *Call) fixed() bool { return c.has(c.Kernel.Map.Fixed | c.Kernel.Map.FixedNoReplace) }

// stack reports whether mmap is asked for MAP_STACK.
func (c *Call) stack() bool { return c.has(c.Kernel.Map.Stack) }

// cloneFlags is what clone is asked for, wherever the architecture has it.
func (c *Call) cloneFlags() uint64 { return c.Args[c.place(abi.CloneFlags)] }

func (c *Call) place(arg abi.CloneArg) int {
	for i, a := range c.Kernel.CloneOrder {
		if a == arg {
			return i
		}
	}
	return 0
}
