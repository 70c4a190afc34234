package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The test binary stands in for QEMU when this variable names a script.
const fakeEnv = "MAPSTACK_FAKE_QEMU"

func TestMain(m *testing.M) {
	switch os.Getenv(fakeEnv) {
	case "":
		os.Exit(m.Run())
	case "deaf": // reads neither its console nor its monitor
		time.Sleep(time.Hour)
	case "resets":
		monitor := os.NewFile(monitorFD, "monitor")
		fmt.Fprintln(monitor, `{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}`)
		fmt.Fprintln(monitor, `{"event": "SHUTDOWN", "data": {"reason": "host-qmp-quit"}}`)
	}
	os.Exit(0)
}

var testTimeouts = Timeouts{Monitor: 10 * time.Second, Quit: 10 * time.Second}

func play(t *testing.T, ctx context.Context, script string, timeouts Timeouts) *Machine {
	t.Helper()
	m, err := launched(ctx, timeouts, "env", fakeEnv+"="+script, os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// launched starts a command in place of QEMU.
func launched(ctx context.Context, timeouts Timeouts, command ...string) (*Machine, error) {
	return start(ctx, launch{argv: command, env: environment(), handover: &handover{}}, io.Discard, timeouts)
}

func TestAGuestThatReadsNothingDoesNotHoldTheHost(t *testing.T) {
	m := play(t, t.Context(), "deaf", Timeouts{Monitor: 50 * time.Millisecond, Quit: 10 * time.Second})
	defer m.Stop()
	if err := m.Send(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a deadline", err)
	}
	if _, err := m.Accelerated(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a monitor that does not answer: %v", err)
	}
}

func TestTheReasonIsKnownOnceTheMachineHasExited(t *testing.T) {
	for range 8 {
		m := play(t, t.Context(), "resets", testTimeouts)
		<-m.Exited()
		if got := m.ShutdownReason(); got != "guest-reset" || m.Err() != nil {
			t.Fatalf("reason %q, error %v", got, m.Err())
		}
	}
}

func TestAStoppedMachineIsGoneAndMayBeStoppedAgain(t *testing.T) {
	m := play(t, t.Context(), "deaf", testTimeouts)
	for range 2 {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	}
	if err := m.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("it ended with %v", err)
	}
	if err := m.Send([]byte("x")); err == nil {
		t.Error("a machine that is gone takes input")
	}
}

func TestAMachineEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := play(t, ctx, "deaf", testTimeouts)
	cancel()
	<-m.Exited()
}

func TestMachinesLeaveNoDescriptorAndNoGoroutine(t *testing.T) {
	use := func() {
		m := play(t, t.Context(), "deaf", testTimeouts)
		if err := m.Stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := launched(t.Context(), testTimeouts, "/nowhere/qemu"); err == nil {
			t.Fatal("a QEMU that is not there was started")
		}
	}
	use() // the runtime opens some descriptors once
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	for range 5 {
		use()
	}
	// Stop does not wait for the last goroutines.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		f, g := openFiles(t), runtime.NumGoroutine()
		if f <= files && g <= goroutines {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors and %d goroutines before, %d and %d after", files, goroutines, f, g)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
