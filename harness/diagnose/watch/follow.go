package watch

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/trace"
)

// follow handles what happens until nothing is traced any more. A program without our
// filter is followed to its own end only.
func (t *tracer) follow() {
	over := make(chan struct{})
	defer close(over)
	go t.wakes(over)
	for {
		var status syscall.WaitStatus
		// Only what this thread traces.
		tid, err := syscall.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return // none is left
		}
		t.turn.Lock()
		t.changed(tid, status)
		alone := t.ended && !t.filtered
		t.turn.Unlock()
		if alone {
			return
		}
	}
}

// wakes passes on Options.Wake.
func (t *tracer) wakes(over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-t.Wake:
			t.turn.Lock()
			t.observe(Observer.Woke)
			t.turn.Unlock()
		}
	}
}

// observe calls the observer. A program with our filter would end with this process, so a
// panic of the observer ends the diagnosis only.
func (t *tracer) observe(call func(Observer)) {
	if t.silent {
		return
	}
	defer func() {
		if why := recover(); why != nil {
			t.silent = true
			fmt.Fprintf(os.Stderr, "mapstack: the diagnosis has failed, and the program goes on unwatched: %v\n%s", why, debug.Stack())
		}
	}()
	call(t.Observer)
}

// meet returns what is known of a thread.
func (t *tracer) meet(tid int) *thread {
	th := t.threads[tid]
	if th == nil {
		// A new one may stop before its maker says what it is. Until then it stops at
		// every call, so that nothing is missed.
		th = &thread{tid: tid, every: true}
		delete(t.early, tid)
		t.threads[tid] = th
	}
	return th
}

// changed handles one change of a thread. The program must not suffer from a stop that
// cannot be read.
func (t *tracer) changed(tid int, status syscall.WaitStatus) {
	if !status.Stopped() {
		t.gone(tid, status)
		return
	}
	th := t.meet(tid)
	err := t.stopped(th, status)
	// A thread that stands still may be killed at any time.
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		t.gap(th, Lost, err.Error())
		_ = t.resume(th, 0)
	}
}

// stopped handles one stop of a thread and lets it go on.
func (t *tracer) stopped(th *thread, status syscall.WaitStatus) error {
	signal, event := status.StopSignal(), uint32(status)>>16
	switch {
	case signal == syscall.SIGTRAP|trace.AtSyscall:
		if err := t.atCall(th); err != nil {
			return err
		}
	case event == unix.PTRACE_EVENT_SECCOMP:
		if err := t.atFilter(th); err != nil {
			return err
		}
	case event == unix.PTRACE_EVENT_STOP && signal != syscall.SIGTRAP:
		return request(unix.PTRACE_LISTEN, th, 0) // its user stopped it, and it stays stopped
	case event == unix.PTRACE_EVENT_EXEC:
		th = t.replaced(th)
	case event == unix.PTRACE_EVENT_EXIT:
		t.exits(th)
	case event == unix.PTRACE_EVENT_CLONE || event == unix.PTRACE_EVENT_FORK || event == unix.PTRACE_EVENT_VFORK:
		t.makes(th)
	case event == 0:
		t.signalled(th, signal)
		return t.resume(th, signal)
	}
	return t.resume(th, 0)
}

// resume lets a thread go on to its next call that matters.
func (t *tracer) resume(th *thread, signal syscall.Signal) error {
	if th.every || th.entered != nil {
		return request(unix.PTRACE_SYSCALL, th, signal)
	}
	return request(unix.PTRACE_CONT, th, signal)
}

func request(what uintptr, th *thread, signal syscall.Signal) error {
	if _, errno := trace.Ptrace(what, uintptr(th.tid), 0, uintptr(signal)); errno != 0 {
		return errno
	}
	return nil
}

// madeTask is the latest task that a thread made by clone3.
type madeTask struct {
	instruction uint64
	thread      bool
}

// makes notes a new thread or process, which is watched like its maker.
func (t *tracer) makes(th *thread) {
	tid, errno := trace.EventMessage(th.tid)
	if errno != 0 {
		return
	}
	if t.early[int(tid)] {
		delete(t.early, int(tid))
		return
	}
	child := t.meet(int(tid))
	child.introduced, child.every, child.made = true, th.every, th.made
	if a := th.call; a != nil && !a.Unread {
		child.pid = child.tid
		if a.Thread() {
			child.pid = t.process(th)
		}
	}
	if a := th.call; a != nil && a.Unread {
		child.pid = 0
		th.made = madeTask{a.Instruction, t.process(child) != child.tid}
		child.made = th.made
	}
}

// replaced notes that a thread has executed another program. It has the number of its
// process now, and its own is gone.
func (t *tracer) replaced(th *thread) *thread {
	former, errno := trace.EventMessage(th.tid)
	if errno == 0 && int(former) != th.tid {
		if was := t.threads[int(former)]; was != nil {
			was.tid, was.pid = th.tid, th.tid
			t.threads[th.tid] = was
			th = was
		}
		delete(t.threads, int(former))
		t.shown.Gone(int(former))
	}
	th.exiting = false
	t.shown.Within(th.tid)
	return th
}

// process returns the process that a thread belongs to.
func (t *tracer) process(th *thread) int {
	if th.pid == 0 {
		th.pid = processOf(th.tid)
	}
	return th.pid
}

// standing returns a thread for the observer.
func (t *tracer) standing(th *thread) Thread {
	return Thread{tid: th.tid, own: t.filter, others: th.every}
}
