package qemu

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestAProcessThatGetsNoCPUIsNotSilent fails if a busy host makes a wait end early, or if a
// wait never ends.
func TestAProcessThatGetsNoCPUIsNotSilent(t *testing.T) {
	const limit = 16 * time.Second
	for name, c := range map[string]struct {
		starved func(passed time.Duration) time.Duration // of each second
		want    time.Duration
		said    string
	}{
		"a quiet host":            {func(time.Duration) time.Duration { return 0 }, limit, "within the limit of 16s"},
		"half of the time":        {func(p time.Duration) time.Duration { return p / 2 }, 2*limit + time.Second, "it took 33s, 16s of it in wait for a CPU"},
		"all of the time":         {func(p time.Duration) time.Duration { return p }, maxStretch * limit, "it took 2m40s"},
		"more than all that were": {func(p time.Duration) time.Duration { return 7 * p }, maxStretch * limit, "it took 2m40s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, last := time.Now(), time.Now()
				err := await(limit, func() time.Duration {
					passed := time.Since(last)
					last = time.Now()
					return c.starved(passed)
				}, func() bool { return false }, nil)
				took := time.Since(began)
				if took < c.want || took > c.want+2*time.Second || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.said) {
					t.Errorf("after %v: %v; want %v, %q", took, err, c.want, c.said)
				}
			})
		})
	}
	done := make(chan struct{})
	close(done)
	if err := await(time.Hour, func() time.Duration { return 0 }, func() bool { return true }, done); err != nil {
		t.Error(err)
	}
}

// TestAStoppedProcessIsNotSilent fails if a guest is blamed for a QEMU that somebody stopped, or
// if a short stop ends a wait.
func TestAStoppedProcessIsNotSilent(t *testing.T) {
	for name, c := range map[string]struct {
		from, to time.Duration // while it is stopped
		want     time.Duration
		stopped  bool
	}{
		"for ever":        {time.Minute, time.Hour, 70 * time.Second, true},
		"from the start":  {0, time.Hour, 10 * time.Second, true},
		"for six seconds": {time.Minute, time.Minute + 6*time.Second, 5 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := await(5*time.Minute, func() time.Duration { return 0 }, func() bool {
					return time.Since(began) > c.from && time.Since(began) <= c.to
				}, nil)
				var stopped *StoppedError
				if took := time.Since(began); took < c.want || took > c.want+2*maxTick || errors.As(err, &stopped) != c.stopped {
					t.Errorf("after %v: %v; want %v", took, err, c.want)
				}
			})
		})
	}
}

// TestAStopIsSeen stops a process.
func TestAStopIsSeen(t *testing.T) {
	m := play(t, t.Context(), "deaf", testTimeouts)
	defer m.Stop()
	if stopped(m.Pid()) {
		t.Error("a process that sleeps is not stopped")
	}
	if err := syscall.Kill(m.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !stopped(m.Pid()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the stop was not seen")
		}
	}
}

// TestStarvationIsMeasured: two processes that want the one CPU they may use wait for it.
func TestStarvationIsMeasured(t *testing.T) {
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		t.Skip("taskset is missing")
	}
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skip("the kernel does not count it")
	}
	var pids []int
	for range 3 {
		cmd := exec.Command(taskset, "-c", "0", "sh", "-c", "while :; do :; done")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}()
		pids = append(pids, cmd.Process.Pid)
	}
	starved := starvation(pids[0])
	deadline := time.Now().Add(30 * time.Second)
	for total := time.Duration(0); total < 50*time.Millisecond; total += starved() {
		if time.Now().After(deadline) {
			t.Fatalf("only %v of waiting was seen", total)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if own := starvation(os.Getpid()); own() < 0 {
		t.Error("a negative time")
	}
}

func TestPressureIsRead(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"some avg10=1.00 avg60=0.50 avg300=0.10 total=1500\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n": 1500 * time.Microsecond,
		"": 0, "some total=x": 0, "full total=7": 0, "total=9": 0,
	} {
		if got := pressure(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestTheBusiestThreadSetsThePace fails if threads that only wait make a machine look starved,
// or if what was before a look is counted after it.
func TestTheBusiestThreadSetsThePace(t *testing.T) {
	before := Paces{"vcpu": {Ran: 5 * time.Second, Waited: time.Second}, "loop": {Ran: time.Second, Waited: time.Hour}}
	after := Paces{"vcpu": {Ran: 9 * time.Second, Waited: 3 * time.Second}, "loop": {Ran: 2 * time.Second, Waited: 3 * time.Hour}}
	if got, want := after.Since(before), (Pace{4 * time.Second, 2 * time.Second}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := (Paces{}).Since(nil); got != (Pace{}) {
		t.Errorf("of nothing: %+v", got)
	}
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
	}
	if got := pacesOf(os.Getpid()).Since(nil); got.Ran <= 0 {
		t.Error("this process has run, and that is not seen")
	}
}
