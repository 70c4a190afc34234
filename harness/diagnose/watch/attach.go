package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/trace"
)

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
			if _, known := t.threads[tid]; known {
				continue
			}
			seized, err := t.seizeRunning(tid)
			if err != nil {
				return err
			}
			more = more || seized
		}
	}
	if len(t.threads) == 0 {
		return fmt.Errorf("process %d has ended", pid)
	}
	t.turn.Lock()
	defer t.turn.Unlock()
	t.observe(func(o Observer) { o.Started(pid) })
	for _, child := range childrenOf(pid) {
		t.observe(func(o Observer) { o.Unwatched(Gap{PID: child, Reason: Before}) })
	}
	return nil
}

// childrenOf returns the children of all threads of a process. It needs
// CONFIG_PROC_CHILDREN.
func childrenOf(pid int) (children []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file) // the thread may have ended
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil && child != os.Getpid() {
				children = append(children, child)
			}
		}
	}
	return children
}

// seizeRunning seizes a thread that runs, and stops it: only a thread that is
// stopped can be told to stop at calls. It reports false for one that has ended.
func (t *tracer) seizeRunning(tid int) (bool, error) {
	switch errno := seize(tid, plainOptions); errno {
	case 0:
		_, _ = trace.Ptrace(unix.PTRACE_INTERRUPT, uintptr(tid), 0, 0)
		th := t.meet(tid)
		th.pid, th.introduced = t.main, true
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
