package newosproc

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/sys"
)

// futexNumber is the number of futex in the lines below.
const futexNumber = 202

// TestOnlyAnEndlessWaitIsEndless fails if a thread that will wake by itself, or that
// waits for a file, counts as one that waits for other threads.
func TestOnlyAnEndlessWaitIsEndless(t *testing.T) {
	for text, want := range map[string]struct {
		call    uint64
		forever bool
	}{
		"202 0xc000058158 0x80 0x0 0x0 0x0 0x0 0x7ffc8d3b9d18 0x46d683\n": {202, true},
		"202 0xc000058158 0x89 0x0 0x0 0x0 0x0 0x7ffc8d3b9d18 0x46d683\n": {202, true},
		// with a time limit; a call that wakes; another call
		"202 0xc000058158 0x80 0x0 0x7ffc8d3b9d30 0x0 0x0 0x7ffc8d3b9d18 0x46d683\n": {202, false},
		"202 0xc000058158 0x81 0x1 0x0 0x0 0x0 0x7ffc8d3b9d18 0x46d683\n":            {202, false},
		"35 0x7ffc8d3b9d30 0x0 0x0 0x0 0x0 0x0 0x7ffc8d3b9d18 0x46d683\n":            {35, false},
		// in no call, running, gone, cut
		"-1 0x7ffc8d3b9d18 0x46d683\n": {none, false},
		"running\n":                    {none, false},
		"":                             {none, false},
		"202 0xc000058158 0x80 0x0\n":  {none, false},
	} {
		if call, forever := endless([]byte(text), futexNumber); call != want.call || forever != want.forever {
			t.Errorf("%q: %d, %t", text, call, forever)
		}
	}
	for text, want := range map[string]bool{
		"Name:\tS\nState:\tS (sleeping)\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n":     true,
		"Name:\tS\nState:\tt (tracing stop)\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n": false,
		"State:\tR (running)\nvoluntary_ctxt_switches:\t150\n":                                                  false,
		"State:\tS (sleeping)\nnonvoluntary_ctxt_switches:\t545\n":                                              false,
		"": false,
	} {
		if n, asleep := slept([]byte(text)); asleep != want || want && n != 150 {
			t.Errorf("%q: %d, %t", text, n, asleep)
		}
	}
}

// TestAProgramThatMayGoOnDoesNotHang fails if a program is killed in which a thread
// sleeps between two attempts, or in which one has run since the last look.
func TestAProgramThatMayGoOnDoesNotHang(t *testing.T) {
	waits := func(n int) waiting { return waiting{forever: true, switches: n} }
	sleeps := func(n int) waiting { return waiting{switches: n} }
	for _, tc := range []struct {
		name         string
		before, now  map[int]waiting
		same         bool
		awake, slept int
	}{
		{"only sysmon has moved", map[int]waiting{1: waits(4), 2: sleeps(10)}, map[int]waiting{1: waits(4), 2: sleeps(31)}, true, 1, 21},
		{"nobody sleeps for a time", map[int]waiting{1: waits(4), 2: waits(1)}, map[int]waiting{1: waits(4), 2: waits(1)}, true, 0, 0},
		{"one more sleeps", map[int]waiting{1: sleeps(4), 2: sleeps(1)}, map[int]waiting{1: sleeps(5), 2: sleeps(9)}, true, 2, 9},
		{"one has run", map[int]waiting{1: waits(4), 2: sleeps(1)}, map[int]waiting{1: waits(5), 2: sleeps(9)}, false, 0, 0},
		{"one is new", map[int]waiting{1: waits(4)}, map[int]waiting{1: waits(4), 2: waits(1)}, false, 0, 0},
		{"another one", map[int]waiting{1: waits(4), 2: waits(1)}, map[int]waiting{1: waits(4), 3: waits(1)}, false, 0, 0},
		{"one waits now", map[int]waiting{1: sleeps(4)}, map[int]waiting{1: waits(4)}, false, 0, 0},
	} {
		same, awake, slept := compare(tc.before, tc.now)
		if same != tc.same || awake != tc.awake || slept != tc.slept {
			t.Errorf("%s: %t, %d, %d", tc.name, same, awake, slept)
		}
	}
}

// TestAGoProgramThatHangsIsSeen fails if a program in which every goroutine waits for
// ever is not recognised, or if one that only sleeps is.
func TestAGoProgramThatHangsIsSeen(t *testing.T) {
	k, err := sys.Running()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"deadlock", "sleep"} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), "NEWOSPROC_TEST_HANG="+how, "GODEBUG=asyncpreemptoff=1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s := &sleeper{pid: cmd.Process.Pid, futex: k.Syscall.Futex, sleep: syscall.SYS_NANOSLEEP}
		hangs := false
		for last := time.Now().Add(2 * time.Second); !hangs && time.Now().Before(last); {
			hangs = s.hangs(calm)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if hangs != (how == "deadlock") {
			t.Errorf("%s: hangs is %t", how, hangs)
		}
	}
}

func FuzzStates(f *testing.F) {
	f.Add([]byte("202 0xc000058158 0x80 0x0 0x0 0x0 0x0 0x7ffc8d3b9d18 0x46d683\n"))
	f.Add([]byte("Name:\tx\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if call, forever := endless(text, futexNumber); forever && call != futexNumber {
			t.Errorf("%q", text)
		}
		if n, ok := slept(text); ok {
			again := fmt.Sprintf("State:\tS\nvoluntary_ctxt_switches:\t%d\n", n)
			if m, ok := slept([]byte(again)); !ok || m != n {
				t.Errorf("%q: %d, then %d", text, n, m)
			}
		}
	})
}
