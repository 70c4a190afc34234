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

// farewell is how long threads have to stop so that they can be let go. A thread
// that waits for a dead device never stops.
const farewell = 5 * time.Second

// follow handles what happens until the program has ended or is let go. Another
// thread waits for changes, because wait4 cannot be told to stop.
func (t *tracer) follow(ctx context.Context) (syscall.WaitStatus, error) {
	changes, over := make(chan change), make(chan struct{})
	defer close(over)
	go wait(changes, over)
	done := ctx.Done()
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
				done = nil
				t.leave() // the children that it left behind
			}
			if t.leaving && len(t.calls) == 0 && (t.ended || !t.mine) {
				return t.status, nil
			}
		case <-done:
			done = nil
			if t.mine {
				t.kill()
			} else {
				t.leave()
			}
		case s := <-t.Signals:
			if number, ok := s.(syscall.Signal); ok && t.mine && !t.ended {
				_ = syscall.Kill(t.main, number)
			}
		case <-t.Wake:
			t.Observer.Woke()
		case <-t.timeout:
			return t.status, nil
		}
	}
}

// leave stops every thread, so that it can be let go.
func (t *tracer) leave() {
	t.leaving = true
	t.timeout = time.NewTimer(farewell).C
	for tid := range t.calls {
		_, _ = trace.Ptrace(unix.PTRACE_INTERRUPT, uintptr(tid), 0, 0)
	}
}

// kill ends every process that is traced: SIGKILL to any thread ends its process.
func (t *tracer) kill() {
	for tid := range t.calls {
		_ = syscall.Kill(tid, syscall.SIGKILL)
	}
}

// wait reports what happens to all traced threads. wait4 also returns what another
// thread of this process traces.
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
		t.shown.Gone(c.tid)
		if c.tid == t.main {
			t.status, t.ended = c.status, true
		}
		return nil
	}
	if _, known := t.calls[c.tid]; !known {
		t.calls[c.tid] = nil
	}
	if err := t.stopped(c); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// stopped handles one stop of a thread and lets it go on.
func (t *tracer) stopped(c change) error {
	signal, event := c.status.StopSignal(), uint32(c.status)>>16
	pass := uintptr(0)
	request := uintptr(unix.PTRACE_SYSCALL)
	switch {
	case signal == syscall.SIGTRAP|trace.AtSyscall:
		if err := t.atCall(c.tid); err != nil {
			return err
		}
	case event == unix.PTRACE_EVENT_STOP && signal != syscall.SIGTRAP:
		request = unix.PTRACE_LISTEN // its user stopped it, and it stays stopped
	case event == unix.PTRACE_EVENT_EXEC:
		t.calls[c.tid] = nil // the call was of the old program
		// execve gave the thread the number of its process. Its own is gone.
		if former, err := syscall.PtraceGetEventMsg(c.tid); err == nil && int(former) != c.tid {
			delete(t.calls, int(former))
			t.shown.Gone(int(former))
		}
		t.shown.Within(c.tid)
	case event == 0:
		pass = uintptr(signal)
	}
	if t.leaving {
		delete(t.calls, c.tid)
		request = unix.PTRACE_DETACH
	}
	if _, errno := trace.Ptrace(request, uintptr(c.tid), 0, pass); errno != 0 {
		return errno
	}
	return nil
}
