package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// The test binary stands in for QEMU when this variable names a script.
const fakeEnv = "MAPSTACK_FAKE_QEMU"

func TestMain(m *testing.M) {
	switch os.Getenv(fakeEnv) {
	case "":
		goleak.VerifyTestMain(m)
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

func TestAKVMThatHangsIsGivenUp(t *testing.T) {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("without it nothing is tried: %v", err)
	}
	_ = f.Close()
	rec, err := arch.Lookup("amd64")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Prefix: []string{"env", fakeEnv + "=deaf", os.Args[0]}, Arch: rec, Machine: rec.Machines[""], CPUs: 1, Memory: 128,
		Kernel: "kernel", Initrd: "initrd"}
	if got := TryKVM(t.Context(), cfg); !strings.Contains(got, "a kernel writes nothing within") {
		t.Errorf("got %q", got)
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

// FuzzMonitor reads what a QEMU that its guest has taken over may write to its monitor.
func FuzzMonitor(f *testing.F) {
	f.Add([]byte(`{"QMP": {"version": {}, "capabilities": []}}` + "\n" + `{"return": {"enabled": false}, "id": 1}` + "\n"))
	f.Add([]byte(`{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}` + "\n" + `{"event": "MIGRATION", "data": {"status": "completed"}}`))
	f.Add([]byte(`{"error": {"class": "GenericError", "desc": "x"}, "id": 1}` + "\n{"))
	f.Fuzz(func(t *testing.T, said []byte) {
		ours, theirs := net.Pipe()
		m := newMonitor(ours)
		go func() {
			_, _ = theirs.Write(said)
			_ = theirs.Close()
		}()
		<-m.gone
		_ = ours.Close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		// Whatever was said, a command ends.
		if reply, err := m.execute(ctx, "query-kvm", nil); err == nil {
			t.Errorf("a monitor that is gone answers %s", reply)
		}
	})
}
