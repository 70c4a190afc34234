package watch

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/trace"
)

// change is something that happened to a traced thread.
type change struct {
	tid    int
	status syscall.WaitStatus
}

// farewell is how long threads have to stand before they are let go. One that
// waits for a device that does not answer never does.
const farewell = 5 * time.Second

// follow handles what happens until the program has ended or is let go. Waiting
// is done by another thread: wait4 cannot be told to stop.
func (t *tracer) follow(ctx context.Context) (syscall.WaitStatus, error) {
	changes, over := make(chan change), make(chan struct{})
	defer close(over)
	go wait(changes, over)
	var timeout <-chan time.Time
	done := ctx.Done()
	leave := func() {
		done, t.leaving = nil, true
		timer := time.NewTimer(farewell)
		timeout = timer.C
		for tid := range t.calls {
			_, _ = trace.Ptrace(unix.PTRACE_INTERRUPT, uintptr(tid), 0, 0)
		}
	}
	for {
		select {
		case c, more := <-changes:
			if !more {
				return t.status, nil
			}
			if err := t.changed(c); err != nil {
				return 0, fmt.Errorf("thread %d: %w", c.tid, err)
			}
			if t.ended && !t.leaving {
				leave() // of children that it left behind
			}
			if t.leaving && len(t.calls) == 0 && (t.ended || !t.mine) {
				return t.status, nil
			}
		case <-done:
			if t.mine {
				done = nil
				for tid := range t.calls {
					_ = syscall.Kill(tid, syscall.SIGKILL) // of any thread, it ends the process
				}
				continue
			}
			leave()
		case s := <-t.Signals:
			if number, ok := s.(syscall.Signal); ok && t.mine && !t.ended {
				_ = syscall.Kill(t.main, number)
			}
		case <-t.Wake:
			t.Observer.Woke()
		case <-timeout:
			return t.status, nil
		}
	}
}

// wait tells what happens to all traced threads. wait4 of one thread takes what
// another one traces.
func wait(changes chan<- change, over <-chan struct{}) {
	for {
		var c change
		var err error
		c.tid, err = syscall.Wait4(-1, &c.status, unix.WALL, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			close(changes) // none is left
			return
		}
		select {
		case changes <- c:
		case <-over:
			return
		}
	}
}

// changed handles one change. A thread may be killed at any time.
func (t *tracer) changed(c change) error {
	if !c.status.Stopped() {
		delete(t.calls, c.tid)
		if c.tid == t.main {
			t.status, t.ended = c.status, true
		}
		return nil
	}
	if _, known := t.calls[c.tid]; !known {
		t.calls[c.tid] = nil
	}
	errno := t.stopped(c)
	if errno == 0 || errno == syscall.ESRCH {
		return nil
	}
	return errno
}

// stopped handles one stop of a thread and lets it go on.
func (t *tracer) stopped(c change) syscall.Errno {
	signal, event := c.status.StopSignal(), uint32(c.status)>>16
	pass := uintptr(0)
	request := uintptr(unix.PTRACE_SYSCALL)
	switch {
	case signal == syscall.SIGTRAP|trace.AtSyscall:
		if errno := t.atCall(c.tid); errno != 0 {
			return errno
		}
	case event == unix.PTRACE_EVENT_STOP && signal != syscall.SIGTRAP:
		request = unix.PTRACE_LISTEN // its user stopped it: it stays stopped
	case event == unix.PTRACE_EVENT_EXEC:
		t.calls[c.tid] = nil // it was the old program's
		// The thread has taken the number of its process and left its own.
		if former, err := syscall.PtraceGetEventMsg(c.tid); err == nil && int(former) != c.tid {
			delete(t.calls, int(former))
		}
	case event == 0:
		pass = uintptr(signal)
	}
	if t.leaving {
		delete(t.calls, c.tid)
		request = unix.PTRACE_DETACH
	}
	_, errno := trace.Ptrace(request, uintptr(c.tid), 0, pass)
	return errno
}

// atCall is a thread at the beginning or the end of a system call.
func (t *tracer) atCall(tid int) syscall.Errno {
	info, errno := trace.SyscallInfo(tid)
	if errno != 0 {
		return errno
	}
	switch info.Operation {
	case trace.Entry:
		if t.calls[tid] = t.interesting(tid, info); t.calls[tid] == nil {
			t.written(tid, info)
		}
	case trace.Exit:
		if a := t.calls[tid]; a != nil {
			t.calls[tid] = nil
			t.finished(a, info)
		}
	}
	return 0
}

// written tells what is about to be written to standard error.
func (t *tracer) written(tid int, i *trace.Info) {
	// What a text needs, bytes: of one write no more is read.
	const most = 4096
	args := i.Arguments()
	if i.Arch != t.audit || i.Number() != syscall.SYS_WRITE || args[0] != uint64(syscall.Stderr) {
		return
	}
	p := make([]byte, min(args[2], most))
	if n, err := syscall.PtracePeekData(tid, uintptr(args[1]), p); err == nil {
		t.Observer.Wrote(processOf(tid), p[:n])
	}
}
