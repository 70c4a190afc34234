package trace

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/sys"
)

// TestAFilteredProgramStopsAtItsCallsOnly fails if a program stops at other calls than
// those of its filter, misses one, or can notice the filter by its privileges.
func TestAFilteredProgramStopsAtItsCallsOnly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may install a filter and keep its privileges")
	}
	kernel, err := sys.Running()
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, uid := range []uint32{0, 65531} {
		s := Program{
			Path: "/proc/self/exe", Args: []string{"followed"}, Env: append(os.Environ(), "TRACE_TEST_FOLLOWED=1"),
			Files: [3]uintptr{0, 1, 2}, UID: uid, Filter: Filter(Stop, kernel.Syscall.Clone),
		}
		pid, unfiltered, err := s.Start(kernel)
		if err != nil || unfiltered != nil {
			t.Fatalf("%v, no filter: %v", err, unfiltered)
		}
		const limit = time.Minute // far more than it takes
		timer := time.AfterFunc(limit, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		stops, seen := map[Kind]int{}, ""
		end, err := Follow(pid, OptionGoodSyscall|OptionClone|OptionSeccomp|OptionExitKill, func(h Halt) (Way, error) {
			stops[h.Kind]++
			switch h.Kind {
			case Filtered:
				info, errno := SyscallInfo(h.Thread)
				if errno != 0 || info.Operation != Seccomp || info.Number() != kernel.Syscall.Clone {
					t.Errorf("stopped at %+v, %v", info, errno)
				}
				seen = lineOf(t, pid, "Uid") + lineOf(t, pid, "NoNewPrivs")
				return RunToCall, nil
			case Called:
				if info, errno := SyscallInfo(h.Thread); errno != 0 || info.Operation != Exit {
					t.Errorf("after a filter's stop: %+v, %v", info, errno)
				}
			}
			return Run, nil
		})
		timer.Stop()
		if err != nil || end.ExitStatus() != status {
			t.Fatalf("ended with %#x, %v", end, err)
		}
		// The end of the program may come between the stops of its last clone.
		if n := stops[Filtered]; n < made || stops[Called] != 0 || stops[Cloned] < made || stops[Cloned] > n || stops[Began] > n+1 {
			t.Errorf("stops by kind: %v", stops)
		}
		if want := fmt.Sprintf("%d %d %d %d0", uid, uid, uid, uid); seen != want {
			t.Errorf("user and no_new_privs: %s, want %s", seen, want)
		}
	}
}

// lineOf returns a line of a process's status.
func lineOf(t *testing.T, pid int, key string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Error(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, key+":") {
			return strings.Join(strings.Fields(line)[1:], " ")
		}
	}
	return ""
}

// TestAProgramThatCannotStartIsNoProgram fails if a program that could not be executed
// counts as started, or is left behind.
func TestAProgramThatCannotStartIsNoProgram(t *testing.T) {
	kernel, err := sys.Running()
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := Program{
		Path: filepath.Join(t.TempDir(), "none"), Args: []string{"none"}, Files: [3]uintptr{0, 1, 2},
		Filter: Filter(Stop, kernel.Syscall.Clone),
	}
	if pid, _, err := s.Start(kernel); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%d, %v", pid, err)
	}
	if pid, err := s.plain(); err == nil {
		t.Errorf("%d without a filter", pid)
	}
	if pid, err := syscall.Wait4(-1, nil, waitAll|syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("left behind: %d, %v", pid, err)
	}
}

// TestStopsInAnotherOrderAreNotUsed fails if a kernel before 4.8 is asked for a filter:
// the entry of a call would be taken for its end.
func TestStopsInAnotherOrderAreNotUsed(t *testing.T) {
	for release, want := range map[string]bool{
		"3.10.0-1160.el7": false, "4.4.131": false, "4.7.10": false, "4.8.0": true, "4.8-rc1": true, "4.19.90-52": true,
		"5.10.0": true, "6.1.0-50-amd64": true, "10.0": true, "": false, "4": false, "x.y": false,
	} {
		if why := orderly(release); (why == nil) != want {
			t.Errorf("%q: %v", release, why)
		}
	}
}
