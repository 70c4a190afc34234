package watch

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/trace"
)

// siginfo is the part of siginfo_t that the 64-bit architectures share
// (include/uapi/asm-generic/siginfo.h). MIPS has the code before the errno.
type siginfo struct {
	signal      int32
	errno, code int32
	_           int32
	pid         int32
	_           [108]byte
}

// From include/uapi/asm-generic/siginfo.h.
const sysSeccomp = 1 // SYS_SECCOMP

// signalled notes who sent a signal that a thread is about to get, and whether a filter
// trapped the call that the thread made.
func (t *tracer) signalled(th *thread, signal syscall.Signal) {
	var info siginfo
	if _, errno := trace.Ptrace(unix.PTRACE_GETSIGINFO, uintptr(th.tid), 0, uintptr(unsafe.Pointer(&info))); errno != 0 {
		return
	}
	code := info.code
	if t.kernel.GOARCH == "mips64le" {
		code = info.errno
	}
	th.signal, th.sender = signal, 0
	if code <= 0 {
		th.sender = int(info.pid)
	}
	if signal == syscall.SIGSYS && code == sysSeccomp {
		if th.held != nil {
			th.trapped, th.held = th.held, nil
		}
		return
	}
	t.release(th)
}

// exits handles a thread that is about to end.
func (t *tracer) exits(th *thread) {
	message, errno := trace.EventMessage(th.tid)
	if errno != 0 {
		return
	}
	status := syscall.WaitStatus(message)
	th.exiting = true
	if status.Signaled() {
		d := Death{PID: t.process(th), TID: th.tid, Status: status, Call: t.fatalCall(th, status)}
		if th.signal == status.Signal() {
			d.Sender = th.sender
		}
		t.observe(func(o Observer) { o.Died(d, t.standing(th)) })
	}
	// When the last thread of the first process of a PID namespace has ended, the kernel
	// ends all others there, and this one may be among them. So the end is told here.
	if t.process(th) == t.main && !t.ended && t.last(th) {
		t.programEnds(status)
	}
}

// fatalCall returns the call at which a filter ended a thread. A filter that ends a process
// ends all of its threads, and others may be in a call too. If the kernel did not end the
// call first, it is the latest one that began.
func (t *tracer) fatalCall(th *thread, status syscall.WaitStatus) *Attempt {
	a := th.unfinished()
	if a == nil || status.Signal() != syscall.SIGSYS {
		return nil
	}
	pid, certain := t.process(th), th.held != nil || th.trapped != nil
	if !certain {
		if th.began < t.fatal[pid] {
			return nil
		}
		for _, other := range t.threads {
			if t.process(other) == pid && (other.held != nil || other.trapped != nil || other.entered != nil && other.began > th.began) {
				return nil
			}
		}
	}
	t.fatal[pid] = th.began
	return a
}

// unfinished returns the call of which no result was seen.
func (th *thread) unfinished() *Attempt {
	switch {
	case th.trapped != nil:
		return th.trapped
	case th.held != nil:
		return th.held
	case th.call != nil:
		return th.call
	case th.entered != nil:
		return unlisted(th, th.entered)
	}
	return nil
}

// last reports whether all other threads of a process are about to end or have ended.
func (t *tracer) last(th *thread) bool {
	for _, other := range t.threads {
		if other != th && !other.exiting && t.process(other) == t.process(th) {
			return false
		}
	}
	return true
}

// programEnds reports the end of the program while its last thread stands still.
func (t *tracer) programEnds(status syscall.WaitStatus) {
	t.ended, t.status = true, status
	t.observe(func(o Observer) { o.Died(Death{PID: t.main, Status: status}, Thread{}) })
	reason := Left
	if t.filtered {
		reason = Kept
	}
	for _, th := range t.threads {
		if pid := t.process(th); pid != t.main && !th.exiting {
			t.gap(th, reason, "")
		}
	}
	if t.Ended != nil {
		t.observe(func(Observer) { t.Ended(status) })
	}
}

// gone handles a thread that has ended.
func (t *tracer) gone(tid int, status syscall.WaitStatus) {
	th := t.threads[tid]
	delete(t.threads, tid)
	delete(t.fatal, tid)
	if th != nil && !th.introduced {
		t.early[tid] = true
	}
	t.shown.Gone(tid)
	switch {
	case tid == t.main && !t.ended:
		t.programEnds(status)
	case tid == t.main:
	case th != nil && t.process(th) == tid:
		t.observe(func(o Observer) { o.Died(Death{PID: tid, Status: status}, Thread{}) })
	}
}
