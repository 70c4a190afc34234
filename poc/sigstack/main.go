// Package sigstack observes alternate signal stacks. It shows which memory
// sigaltstack accepts, how small a stack may be, whether signals are handled on it,
// and who inherits it.
package sigstack

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// Main runs the probe.
func Main() {
	probe.Run(func(p *probe.P) {
		// The runtime interrupts threads with its own signals, which would meet a
		// stack that is too small.
		p.Observe("thread").Child(probe.Child{Name: "thread", Env: []string{"GODEBUG=asyncpreemptoff=1"}}).Emit()
	}, map[string]func(*probe.P){"thread": func(p *probe.P) { thread{p}.run() }})
}

const (
	// length is the size of the stacks in bytes: ample, and whole pages everywhere.
	length = 256 << 10
	// deliveryLimit bounds the wait for a handled signal.
	deliveryLimit = 20 * time.Second
	// badFlags is not an SS_* flag (include/uapi/linux/signal.h).
	badFlags = 0x40
)

// thread is the one thread whose signal stack is changed.
type thread struct{ *probe.P }

func (t thread) run() {
	var runtime sys.SigStack
	o := t.Observe("runtime")
	ok := o.Returned("sigaltstack(NULL, &old)", 0, t.Kernel.Sigaltstack(nil, &runtime))
	describe(o, runtime).Emit()
	if !ok {
		return
	}
	t.inherit()
	private := t.Kernel.Map.Private | t.Kernel.Map.Anonymous
	t.area("plain", private, runtime)
	t.area("stack", private|t.Kernel.Map.Stack, runtime)
	t.smallest(runtime)

	o = t.Observe("bad flags")
	bad := runtime
	bad.Flags = badFlags
	errno := t.Kernel.Sigaltstack(&bad, nil)
	var after sys.SigStack
	if e := t.Kernel.Sigaltstack(nil, &after); e != 0 {
		o.Unknown("unchanged", "query: "+t.Kernel.ErrnoName(int(e)))
	} else {
		o.Set("unchanged", after == runtime)
	}
	o.Returned(fmt.Sprintf("sigaltstack({flags=%#x})", badFlags), 0, errno)
	o.Emit()
}

func describe(o *probe.Obs, s sys.SigStack) *probe.Obs {
	return o.Set("sp", s.SP).Set("size", s.Size).Set("flags", s.Flags)
}

// area makes memory the signal stack and has a signal handled. It then restores the
// runtime's own stack.
func (t thread) area(step string, flags uint64, runtime sys.SigStack) {
	o := t.Observe(step)
	defer o.Emit()
	addr, errno := t.Kernel.Mmap(0, length, t.Kernel.Prot.Read|t.Kernel.Prot.Write, flags, -1, 0)
	if errno != 0 {
		o.Unknown("mapped", "mmap: "+t.Kernel.ErrnoName(int(errno)))
		return
	}
	o.Set("mapped", addr).Set("length", length)
	pages := length / int(t.Page)
	o.Resident("resident before", addr, pages)
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, syscall.SIGUSR1)

	var now, back sys.SigStack
	set := t.Kernel.Sigaltstack(&sys.SigStack{SP: addr, Size: length}, nil)
	query := t.Kernel.Sigaltstack(nil, &now)
	sent := t.Kernel.Tgkill(os.Getpid(), syscall.Gettid(), t.Kernel.Signal.Usr1)
	restore := t.Kernel.Sigaltstack(&runtime, &back)

	o.Returned("sigaltstack", 0, set)
	if query != 0 || sent != 0 {
		o.Unknown("handled", fmt.Sprintf("query: errno %d; tgkill: errno %d", int(query), int(sent)))
		return
	}
	describe(o, now)
	select {
	case <-arrived:
		o.Set("handled", true)
	case <-time.After(probe.Patience(deliveryLimit)):
		o.Set("handled", false)
	}
	signal.Stop(arrived)
	o.Resident("resident after", addr, pages)
	o.Set("restored", restore == 0 && back.SP == addr)
	t.Kernel.Munmap(addr, length)
}

// smallest finds the smallest size that sigaltstack accepts.
func (t thread) smallest(runtime sys.SigStack) {
	o := t.Observe("smallest")
	defer o.Emit()
	addr, errno := t.Kernel.Mmap(0, length, t.Kernel.Prot.Read|t.Kernel.Prot.Write,
		t.Kernel.Map.Private|t.Kernel.Map.Anonymous, -1, 0)
	if errno != 0 {
		o.Unknown("size", "mmap: "+t.Kernel.ErrnoName(int(errno)))
		return
	}
	defer t.Kernel.Munmap(addr, length)
	try := func(size uintptr) syscall.Errno {
		errno := t.Kernel.Sigaltstack(&sys.SigStack{SP: addr, Size: size}, nil)
		if errno == 0 {
			t.Kernel.Sigaltstack(&runtime, nil)
		}
		return errno
	}
	refused, taken := uintptr(0), uintptr(length)
	if try(refused) == 0 || try(taken) != 0 {
		o.Unknown("size", "nothing is refused, or nothing taken")
		return
	}
	for taken-refused > 1 {
		if middle := refused + (taken-refused)/2; try(middle) == 0 {
			taken = middle
		} else {
			refused = middle
		}
	}
	o.Set("size", int(taken))
	if size, told := needed(); told {
		o.Set("needed", size)
	}
	o.Returned(fmt.Sprintf("sigaltstack({size=%d})", refused), 0, try(refused))
}
