package cloneflags

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// shared is memory that a child and this process both see.
type shared struct {
	gate      uint32 // a child waits here while it is 0
	parentTID uint32
	childTID  uint32
	pidfd     uint32
	setTID    uint32
	_         uint32
	register  uint64 // what a child on amd64 finds in its thread register
	_         [504]byte
	tls       [1024]byte // of a thread that never uses it
}

// unset is what is in a word before the kernel stores something there.
const unset = 0xffffffff

// children makes children that wait, one after the other.
type children struct {
	*probe.P
	addr   uintptr
	at     *shared
	chosen int // the ID that set_tid asks for
}

// newChildren returns nil after a step that says why there is no memory to share.
func newChildren(p *probe.P) *children {
	k := p.Kernel
	addr, errno := k.Mmap(0, p.Page, k.Prot.Read|k.Prot.Write, k.Map.Shared|k.Map.Anonymous, -1, 0)
	if errno != 0 {
		p.Observe("shared").Unknown("ret", fmt.Sprintf("mmap: errno %d %s", int(errno), k.ErrnoName(int(errno)))).Emit()
		return nil
	}
	return &children{P: p, addr: addr, at: *(**shared)(unsafe.Pointer(&addr))} // memory outside Go's own
}

// Addresses of the words, as the kernel takes them.
func (c *children) gate() uintptr      { return c.addr + unsafe.Offsetof(c.at.gate) }
func (c *children) parentTID() uintptr { return c.addr + unsafe.Offsetof(c.at.parentTID) }
func (c *children) childTID() uintptr  { return c.addr + unsafe.Offsetof(c.at.childTID) }
func (c *children) pidfd() uintptr     { return c.addr + unsafe.Offsetof(c.at.pidfd) }
func (c *children) setTID() uintptr    { return c.addr + unsafe.Offsetof(c.at.setTID) }
func (c *children) tls() uintptr       { return c.addr + unsafe.Offsetof(c.at.tls) + 512 }

// wait is the first call of a child: it waits until the gate opens. The operation is
// FUTEX_WAIT, whose number is 0 (include/uapi/linux/futex.h).
func (c *children) wait() [4]uintptr {
	*c.at = shared{parentTID: unset, childTID: unset, pidfd: unset, setTID: uint32(c.chosen)}
	return [4]uintptr{uintptr(c.Kernel.Syscall.Futex), c.gate(), 0, 0}
}

// open lets a waiting thread end.
func (c *children) open() {
	const wake = 1 // FUTEX_WAKE
	atomic.StoreUint32(&c.at.gate, 1)
	syscall.RawSyscall(uintptr(c.Kernel.Syscall.Futex), c.gate(), wake, 1)
}

// clone3 makes a child by clone3, which gets a stack besides the arguments.
func (c *children) clone3(o *probe.Obs, args map[int]uint64) (pid int, stack sys.Stack, ok bool) {
	var all [words]uint64
	for i, value := range args {
		all[i] = value
	}
	pid, stack, errno, err := c.Kernel.Clone3OnStack(all, c.wait())
	if err != nil {
		o.Unknown("ret", err.Error())
		return 0, stack, false
	}
	args[wStack], args[wStackSize] = uint64(stack.Start), uint64(stack.Size)
	return pid, stack, o.Returned(clone3Row{args: args, size: 8 * words}.call(), uintptr(pid), errno)
}

// await waits while a word has a value, for some time. FUTEX_WAIT without FUTEX_PRIVATE_FLAG
// is what the kernel wakes.
func (c *children) await(word uintptr, value uint32, limit *syscall.Timespec) syscall.Errno {
	_, _, errno := syscall.Syscall6(uintptr(c.Kernel.Syscall.Futex), word, 0, uintptr(value), uintptr(unsafe.Pointer(limit)), 0, 0)
	return errno
}

// end kills a child that is a process, and returns how it ended.
func (c *children) end(pid int) string {
	_ = syscall.Kill(pid, syscall.SIGKILL)
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, waitAll, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return "wait4: " + err.Error()
		}
		break
	}
	if status.Signaled() {
		return status.Signal().String()
	}
	return "exit status " + strconv.Itoa(status.ExitStatus())
}

// Bounds of the wait for a child to reach its first call. An emulated machine may need a
// second.
const (
	patience = 10 * time.Second
	moment   = time.Millisecond
)

// settle waits until a thread is inside its first call, and returns its stack pointer,
// 0 when that cannot be read. It reports whether the thread is there: it may have died.
func (c *children) settle(tid int) (pointer uintptr, alive bool, err error) {
	files := fmt.Sprintf("/proc/%d/", tid)
	for end := time.Now().Add(probe.Patience(patience)); time.Now().Before(end); time.Sleep(moment) {
		status, err := os.ReadFile(files + "status")
		if err != nil || bytes.Contains(status, []byte("\nState:\tZ")) {
			return 0, false, nil
		}
		text, err := os.ReadFile(files + "syscall")
		if err != nil {
			if bytes.Contains(status, []byte("\nState:\tS")) {
				return 0, true, err // where the file does not exist, sleeping must do
			}
			continue
		}
		// The call's number, six arguments, the stack pointer and the instruction.
		f := strings.Fields(string(text))
		if len(f) != 9 || f[0] != strconv.FormatUint(c.Kernel.Syscall.Futex, 10) {
			continue
		}
		n, err := strconv.ParseUint(f[7], 0, 64)
		return uintptr(n), true, err
	}
	return 0, false, fmt.Errorf("the child does nothing that shows within %v", probe.Patience(patience))
}

// onStack records whether a thread runs on its stack, or how the child died.
func (c *children) onStack(o *probe.Obs, tid int, stack sys.Stack) (alive bool) {
	pointer, alive, err := c.settle(tid)
	switch {
	case err != nil:
		o.Unknown("on-stack", err.Error())
	case !alive:
		o.Set("on-stack", false)
	default:
		o.Set("on-stack", stack.Start <= pointer && pointer <= stack.Start+stack.Size)
	}
	return alive
}

// field returns the value of a line of a file of proc.
func field(file, name string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, name) {
			return strings.TrimSpace(strings.TrimPrefix(line, name)), nil
		}
	}
	return "", fmt.Errorf("%s has no line %s", file, name)
}

// refers records whether a descriptor was stored, closes on exec, and is that of a process.
func (c *children) refers(o *probe.Obs, pid int) {
	fd := atomic.LoadUint32(&c.at.pidfd)
	o.Set("stored", fd != unset)
	if fd == unset {
		return
	}
	defer syscall.Close(int(fd))
	flags, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	if errno != 0 {
		o.Unknown("cloexec", "fcntl(F_GETFD): "+errno.Error())
	} else {
		o.Set("cloexec", flags&syscall.FD_CLOEXEC != 0)
	}
	if who, err := field(fmt.Sprintf("/proc/self/fdinfo/%d", fd), "Pid:"); err != nil {
		o.Unknown("refers", err.Error())
	} else {
		o.Set("refers", who == strconv.Itoa(pid))
	}
}

// pidfdOfChild asks clone for a descriptor of a child. A kernel before 5.2 makes the child
// and stores nothing.
func pidfdOfChild(p *probe.P) {
	o := p.Observe("pidfd of a child")
	defer o.Emit()
	c := newChildren(p)
	if c == nil {
		o.Unknown("stored", "there is no memory to share")
		return
	}
	c.wait()
	args := sys.CloneArgs{Flags: pidFD | p.Kernel.Signal.Chld, ParentTID: c.pidfd(), Pause: true}
	pid, errno := p.Kernel.Clone(&args)
	if o.Returned(describe(args.Flags), uintptr(pid), errno) {
		c.refers(o, pid)
		c.end(pid)
	}
}
