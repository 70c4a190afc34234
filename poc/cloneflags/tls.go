package cloneflags

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// From include/uapi/linux/{ptrace,elf}.h and arch/mips/include/uapi/asm/ptrace.h.
const (
	attach        = 16    // PTRACE_ATTACH
	getThreadArea = 25    // PTRACE_GET_THREAD_AREA of MIPS
	general       = 1     // NT_PRSTATUS
	armTLS        = 0x401 // NT_ARM_TLS
)

// register is where ptrace shows the thread register: a word of 64 bits in a set of
// registers.
type register struct {
	set  uintptr
	word int
}

// threadRegisters has no entry for mips64le, where ptrace has a request of its own, and
// none for amd64.
func threadRegisters() map[string]register {
	return map[string]register{
		"arm64":   {armTLS, 0},
		"loong64": {general, 2},  // tp is r2
		"ppc64le": {general, 13}, // r13
		"riscv64": {general, 4},  // arch/riscv/include/uapi/asm/ptrace.h: tp, after pc, ra, sp, gp
		"s390x":   {general, 18}, // after the PSW and the gprs: access registers 0 and 1
	}
}

// On amd64 a child can ask for its thread register itself (arch_prctl(2)), which works
// below a tracer too.
const (
	archPrctl = 158    // arch/x86/entry/syscalls/syscall_64.tbl
	getFS     = 0x1003 // ARCH_GET_FS, arch/x86/include/uapi/asm/prctl.h
)

// tlsOfClone makes a process with a thread register of its own, by clone.
func (c *children) tlsOfClone() {
	flags := setTLS | c.Kernel.Signal.Chld
	o := c.Observe("tls")
	defer o.Emit()
	pid, _, errno, err := c.Kernel.CloneOnStack(sys.CloneArgs{Flags: flags, TLS: c.tls()}, c.firstOfTLS())
	if err != nil {
		o.Unknown("ret", err.Error())
	} else if o.Returned(describe(flags), uintptr(pid), errno) {
		c.threadRegister(o, pid)
	}
}

// tlsOfClone3 does the same by clone3.
func (c *children) tlsOfClone3() {
	args := [words]uint64{wFlags: setTLS, wExitSignal: c.Kernel.Signal.Chld, wTLS: uint64(c.tls())}
	o := c.Observe("tls")
	defer o.Emit()
	pid, _, errno, err := c.Kernel.Clone3OnStack(args, c.firstOfTLS())
	if err != nil {
		o.Unknown("ret", err.Error())
	} else if o.Returned(fmt.Sprintf("clone3({flags=%#x, tls=%#x}, %d)", uint64(setTLS), c.tls(), 8*words), uintptr(pid), errno) {
		c.threadRegister(o, pid)
	}
}

// firstOfTLS is the first call of a child with a thread register of its own.
func (c *children) firstOfTLS() [4]uintptr {
	call := c.wait()
	if c.Kernel.GOARCH == "amd64" {
		return [4]uintptr{archPrctl, getFS, c.addr + unsafe.Offsetof(c.at.register)}
	}
	return call
}

// threadRegister records what was given for the thread register of a child, and what it
// holds. The child is gone afterwards.
func (c *children) threadRegister(o *probe.Obs, pid int) {
	o.Set("given", c.tls())
	if c.Kernel.GOARCH == "amd64" {
		var status syscall.WaitStatus
		for _, err := syscall.Wait4(pid, &status, waitAll, nil); err == syscall.EINTR; {
			_, err = syscall.Wait4(pid, &status, waitAll, nil)
		}
		if !status.Exited() {
			o.Unknown("register", fmt.Sprintf("the child ended with %#x", uint32(status)))
			return
		}
		o.Set("register", uintptr(atomic.LoadUint64(&c.at.register)))
		return
	}
	defer c.end(pid)
	// The child must be in its first call: a stop before that shows it in the kernel.
	if _, alive, err := c.settle(pid); !alive {
		o.Unknown("register", fmt.Sprintf("the child died: %v", err))
		return
	}
	value, err := c.stopped(pid)
	if err != nil {
		o.Unknown("register", err.Error())
		return
	}
	o.Set("register", uintptr(value))
}

// stopped stops a child and returns its thread register. The child stays stopped.
func (c *children) stopped(pid int) (uint64, error) {
	if _, errno := trace.Ptrace(attach, uintptr(pid), 0, 0); errno != 0 {
		return 0, fmt.Errorf("PTRACE_ATTACH: %w", errno)
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, waitAll, nil)
		if err == syscall.EINTR {
			continue
		}
		if err == nil && !status.Stopped() {
			err = fmt.Errorf("the child ended with %#x", uint32(status))
		}
		if err != nil {
			return 0, err
		}
		break
	}
	if c.Kernel.GOARCH == "mips64le" {
		value := new(uint64)
		if _, errno := trace.Ptrace(getThreadArea, uintptr(pid), 0, uintptr(unsafe.Pointer(value))); errno != 0 {
			return 0, fmt.Errorf("PTRACE_GET_THREAD_AREA: %w", errno)
		}
		return *value, nil
	}
	at, known := threadRegisters()[c.Kernel.GOARCH]
	if !known {
		return 0, errors.New("it is not known where ptrace shows the thread register")
	}
	w, err := trace.SetOf(pid, at.set)
	if err != nil {
		return 0, err
	}
	return w.All[at.word], nil
}
