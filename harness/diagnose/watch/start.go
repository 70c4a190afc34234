package watch

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/trace"
)

// options make the kernel trace new threads and children from their first
// instruction, and mark stops at system calls so that they differ from signals.
const options = trace.OptionGoodSyscall | trace.OptionFork | trace.OptionVfork | trace.OptionClone | trace.OptionExec

// launch starts the program and stops it before its first instruction. PTRACE_TRACEME
// stops it there. Then it is seized, because only PTRACE_SEIZE tells a stop by the
// user from one by the tracer.
func (t *tracer) launch(c Command) error {
	files := make([]uintptr, len(c.Files))
	for i, f := range c.Files {
		files[i] = f.Fd()
	}
	pid, err := syscall.ForkExec(c.Path, c.Args, &syscall.ProcAttr{
		Env: c.Env, Files: files,
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		// Either ptrace or the program itself was refused. A start without ptrace
		// shows which.
		return fmt.Errorf("%w: start %s traced: %w", ErrForbidden, c.Path, err)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", c.Path, err)
	}
	t.main, t.mine = pid, true
	if err := t.seizeNew(pid); err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		return err
	}
	t.Observer.Started(pid)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		return fmt.Errorf("let %s run: %w", c.Path, err)
	}
	return nil
}

func (t *tracer) seizeNew(pid int) error {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || !status.Stopped() {
		return fmt.Errorf("wait for the new program: status %#x, %w", status, err)
	}
	if _, err := t.shown.As(pid, trace.Entry); err != nil {
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	if _, errno := trace.Ptrace(unix.PTRACE_DETACH, uintptr(pid), 0, uintptr(syscall.SIGSTOP)); errno != 0 {
		return fmt.Errorf("stop the new program: %w", errno)
	}
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		return fmt.Errorf("wait for the new program to stop: status %#x, %w", status, err)
	}
	if errno := seize(pid, options|trace.OptionExitKill); errno != 0 {
		return fmt.Errorf("%w: PTRACE_SEIZE of the new program: %w", ErrForbidden, errno)
	}
	t.calls[pid] = nil
	return nil
}

// attach seizes every thread, until there are no new ones: a new thread of a
// seized one is followed by itself.
func (t *tracer) attach(pid int) error {
	t.main = pid
	for more := true; more; {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return fmt.Errorf("find the threads of process %d: %w", pid, err)
		}
		more = false
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil {
				return fmt.Errorf("/proc/%d/task names %q", pid, task.Name())
			}
			if _, known := t.calls[tid]; known {
				continue
			}
			seized, err := t.seizeRunning(tid)
			if err != nil {
				return err
			}
			more = more || seized
		}
	}
	if len(t.calls) == 0 {
		return fmt.Errorf("process %d has ended", pid)
	}
	t.Observer.Started(pid)
	return nil
}

// seizeRunning seizes a thread that runs, and stops it: only a thread that is
// stopped can be told to stop at calls. It reports false for one that has ended.
func (t *tracer) seizeRunning(tid int) (bool, error) {
	switch errno := seize(tid, options); errno {
	case 0:
		_, _ = trace.Ptrace(unix.PTRACE_INTERRUPT, uintptr(tid), 0, 0)
		t.calls[tid] = nil
		return true, nil
	case syscall.ESRCH:
		return false, nil
	case syscall.EPERM, syscall.EACCES, syscall.ENOSYS, syscall.EIO:
		// Threads that were seized before are let go when this one ends.
		return false, fmt.Errorf("%w: PTRACE_SEIZE of thread %d: %w", ErrForbidden, tid, errno)
	default:
		return false, fmt.Errorf("PTRACE_SEIZE of thread %d: %w", tid, errno)
	}
}

func seize(tid, options int) syscall.Errno {
	_, errno := trace.Ptrace(unix.PTRACE_SEIZE, uintptr(tid), 0, uintptr(options))
	return errno
}
