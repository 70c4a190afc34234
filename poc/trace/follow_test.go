package trace

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// TestMain lets this test binary act as the followed program. That is a process
// which makes threads, gets a signal that it handles, and ends with its own status.
func TestMain(m *testing.M) {
	if os.Getenv("TRACE_TEST_FOLLOWED") == "" {
		os.Exit(m.Run())
	}
	up := make(chan bool)
	for i := 0; i < made; i++ {
		go func() {
			runtime.LockOSThread()
			up <- true
			select {}
		}()
		<-up
	}
	came := make(chan os.Signal, 1)
	signal.Notify(came, syscall.SIGUSR1)
	_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	<-came
	os.Exit(status)
}

const (
	made   = 4
	status = 23
)

// TestThreadsAreFollowedToTheEnd fails if a thread is lost or left stopped. It also
// fails if a call is assigned to the wrong thread: each thread must begin exactly
// once.
func TestThreadsAreFollowedToTheEnd(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"followed"}, &syscall.ProcAttr{
		Env:   append(os.Environ(), "TRACE_TEST_FOLLOWED=1"),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		t.Fatal(err)
	}
	const limit = time.Minute // far more than it takes
	timer := time.AfterFunc(limit, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	defer timer.Stop()
	began, stops := map[int]int{}, map[Kind]int{}
	end, err := Follow(pid, OptionGoodSyscall|OptionClone|OptionExitKill, func(h Halt) (Way, error) {
		stops[h.Kind]++
		if h.Kind == Began {
			began[h.Thread]++
		}
		if h.Kind == Called {
			if _, errno := SyscallInfo(h.Thread); errno != 0 {
				return Run, errno
			}
		}
		return RunToCall, nil
	})
	if err != nil || !end.Exited() || end.ExitStatus() != status {
		t.Fatalf("ended with %#x, %v", end, err)
	}
	if len(began) <= made {
		t.Errorf("%d threads began", len(began))
	}
	for tid, n := range began {
		if n != 1 {
			t.Errorf("thread %d began %d times", tid, n)
		}
	}
	// The end of the program may come between the two stops of its last clone.
	if between := stops[Cloned] - len(began) + 1; between < -1 || between > 1 || stops[Called] < 2*len(began) || stops[Signalled] == 0 {
		t.Errorf("%d threads, stops by kind: %v", len(began), stops)
	}
}

// TestAKilledProcessEnds fails if an end by a signal is taken for a stop.
func TestAKilledProcessEnds(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"followed"}, &syscall.ProcAttr{
		Env: append(os.Environ(), "TRACE_TEST_FOLLOWED=1"), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		t.Fatal(err)
	}
	end, err := Follow(pid, OptionGoodSyscall|OptionClone|OptionExitKill, func(h Halt) (Way, error) {
		if h.Kind == Cloned {
			return Run, syscall.Kill(pid, syscall.SIGKILL)
		}
		return Run, nil
	})
	if err != nil || !end.Signaled() || end.Signal() != syscall.SIGKILL {
		t.Errorf("ended with %#x, %v", end, err)
	}
}
