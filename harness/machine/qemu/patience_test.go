package qemu

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
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
		"half of the time":        {func(p time.Duration) time.Duration { return p / 2 }, 2 * limit, "it took 32s, 16s of it in wait for a CPU"},
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
				}, nil)
				took := time.Since(began)
				if took < c.want || took > c.want+2*time.Second || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.said) {
					t.Errorf("after %v: %v; want %v, %q", took, err, c.want, c.said)
				}
			})
		})
	}
	done := make(chan struct{})
	close(done)
	if err := await(time.Hour, func() time.Duration { return 0 }, done); err != nil {
		t.Error(err)
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
