package sigstack

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
)

// Flags of clone (include/uapi/linux/sched.h). goThread holds those of the Go
// runtime (runtime/os_linux.go).
const (
	cloneVM    = 0x100
	cloneVfork = 0x4000
	goThread   = 0x50f00
)

// unwritten fills the struct that a child asks for. No kernel writes this value.
const unwritten = ^uint64(0)

// inherit makes each kind of child ask for its signal stack before anything else.
// The calling thread has the stack that the runtime set.
func (t thread) inherit() {
	chld := t.Kernel.Signal.Chld
	t.child("inherit.thread", goThread)
	t.child("inherit.fork", chld)
	t.child("inherit.vfork", cloneVM|cloneVfork|chld)
}

func (t thread) child(step string, flags uint64) {
	o := t.Observe(step)
	defer o.Emit()
	// A child process gets copies of all memory except this page.
	page, errno := t.Kernel.Mmap(0, t.Page, t.Kernel.Prot.Read|t.Kernel.Prot.Write, t.Kernel.Map.Shared|t.Kernel.Map.Anonymous, -1, 0)
	if errno != 0 {
		o.Unknown("flags", "mmap: "+t.Kernel.ErrnoName(int(errno)))
		return
	}
	answer := *(**[3]uint64)(unsafe.Pointer(&page)) // see probe.Poke
	*answer = [3]uint64{unwritten, unwritten, unwritten}
	tid, errno, err := t.Kernel.CloneFirst(flags, [4]uintptr{uintptr(t.Kernel.Syscall.Sigaltstack), 0, page})
	if err != nil {
		o.Unknown("flags", err.Error())
		return
	}
	if !o.Returned(fmt.Sprintf("clone(%#x)", flags), uintptr(tid), errno) {
		return
	}
	if err := t.wait(tid, flags == goThread); err != nil {
		o.Unknown("flags", err.Error())
		return
	}
	if answer[2] == unwritten {
		o.Unknown("flags", "the child was told nothing")
		return
	}
	describe(o, t.Kernel.SigStackIn(answer))
}

// wait waits until a child has exited with status 0, or a thread is gone.
func (t thread) wait(tid int, isThread bool) error {
	if !isThread {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(tid, &status, 0, nil); err != nil || status != 0 {
			return fmt.Errorf("the child ended with status %#x, %v", status, err)
		}
		return nil
	}
	for end := time.Now().Add(probe.Patience(deliveryLimit)); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid)); os.IsNotExist(err) {
			return nil
		}
	}
	return errors.New("the thread does not end")
}
