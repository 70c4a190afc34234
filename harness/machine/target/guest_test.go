package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/internal/fakeqemu"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/wire"
)

// short has the waits for scripts that never answer. A script that answers never uses them up.
var short = qemu.Timeouts{Boot: 5 * time.Second, Quiet: 200 * time.Millisecond, Probe: time.Second,
	Watchdog: time.Second, Restore: time.Second, Migrate: 20 * time.Second, Epitaph: 50 * time.Millisecond, Monitor: 20 * time.Second, Quit: time.Second}

// patient has the waits for scripts that do answer, however loaded the machine is.
func patient() qemu.Timeouts {
	t := short
	t.Boot, t.Restore, t.Probe = time.Minute, time.Minute, time.Minute
	return t
}

func TestMain(m *testing.M) {
	fakeqemu.Play()
	playHeld()
	os.Exit(m.Run())
}

func config(t *testing.T, script string) qemu.Config {
	t.Helper()
	rec, err := arch.Lookup("amd64")
	if err != nil {
		t.Fatal(err)
	}
	return qemu.Config{Prefix: fakeqemu.Prefix(script), Arch: rec, Machine: rec.Machines[""], Accel: qemu.TCG,
		CPUs: 1, Memory: 128, Kernel: "kernel", Initrd: "initrd"}
}

func boot(t *testing.T, ctx context.Context, script string, timeouts qemu.Timeouts, log *bytes.Buffer) (*Guest, error) {
	t.Helper()
	return Boot(ctx, config(t, script), timeouts, log)
}

func TestEveryWayToDieIsATypedFailure(t *testing.T) {
	slow := short // to be judged silent, but not before it has booted
	slow.Boot = time.Minute
	for _, c := range []struct {
		script   string
		timeouts qemu.Timeouts
		kind     failure.Kind
		message  string
	}{
		{"refuses", patient(), failure.Infra, "unsupported machine type"},
		{"panics", patient(), failure.NoInit, "No working init found"},
		{"resets", patient(), failure.Reboot, "boot"},
		{"hangs", short, failure.Hang, "boot"},
		{"chats", short, failure.Hang, "boot"},
		{"other protocol", patient(), failure.Protocol, "protocol 3"},
		{"other arch", patient(), failure.Protocol, `"vax"`},
		{"no record", patient(), failure.Protocol, "no record"},
		{"dies under a probe", patient(), failure.Oops, "run probe p: the kernel died: [    9.0] BUG: kernel NULL pointer"},
		{"gives up under a probe", patient(), failure.Infra, "ended with status 2"},
		{"wedges under a probe", slow, failure.Hang, "run probe p"},
		{"refuses the probe", patient(), failure.Protocol, "not today"},
		{"answers another run", patient(), failure.Protocol, "run 2 came in run 1"},
		{"repeats a step", patient(), failure.Protocol, `step "0" twice`},
	} {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel() // most of the time is waiting
			var log bytes.Buffer
			g, err := boot(t, context.Background(), c.script, c.timeouts, &log)
			if err == nil {
				_, err = g.Run(context.Background(), "p", nil)
				defer g.Stop()
			}
			var f *failure.Failure
			if !errors.As(err, &f) {
				t.Fatalf("no failure: %v", err)
			}
			if f.Kind != c.kind || !strings.Contains(f.Message, c.message) {
				t.Errorf("got %s: %s\nwant %s with %q", f.Kind, f.Message, c.kind, c.message)
			}
			if c.script != "refuses" && !strings.Contains(f.Console, "Linux version 0.0.0-fake") && c.script != "chats" {
				t.Errorf("the failure does not quote the console: %q", f.Console)
			}
		})
	}
}

func TestAGuestIsNotBlamedForAQEMUThatWasStopped(t *testing.T) {
	var log bytes.Buffer
	g, err := boot(t, t.Context(), "behaves", patient(), &log)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Stop()
	g.session.timeouts = short
	if err := syscall.Kill(g.machine.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, err = g.Run(t.Context(), "p", nil)
	var f *failure.Failure
	if !errors.As(err, &f) || f.Kind != failure.Infra || !strings.Contains(f.Message, "stopped") {
		t.Errorf("got %v, want a failure of ours", err)
	}
}

func TestWhatAConsoleLosesIsAskedForAgain(t *testing.T) {
	for _, script := range []string{"behaves", "floods", "loses frames", "loses the last frame", "hello damaged"} {
		t.Run(script, func(t *testing.T) {
			var log bytes.Buffer
			g, err := boot(t, context.Background(), script, patient(), &log)
			if err != nil {
				t.Fatalf("%v\n%s", err, log.String())
			}
			defer g.Stop()
			for run := 0; run < 2; run++ {
				tr, err := g.Run(context.Background(), "p", []string{"a"})
				if err != nil {
					t.Fatalf("run %d: %v", run, err)
				}
				checkWhole(t, tr)
			}
		})
	}
}

func checkWhole(t *testing.T, tr wire.Transcript) {
	t.Helper()
	if len(tr.Observations) != fakeqemu.Observations || !tr.Exit.Clean() || tr.Probe != "p" {
		t.Fatalf("%d observations, exit %+v", len(tr.Observations), tr.Exit)
	}
	for i, o := range tr.Observations {
		if o.Step != fmt.Sprint(i) {
			t.Fatalf("observation %d is step %q", i, o.Step)
		}
	}
}

func TestAStoppedRunLeavesNoQEMU(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var log bytes.Buffer
	g, err := boot(t, ctx, "wedges under a probe", patient(), &log)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = g.Run(ctx, "p", nil)
	var f *failure.Failure
	if !errors.As(err, &f) || f.Kind != failure.Interrupted {
		t.Errorf("got %v, want interrupted", err)
	}
	<-g.machine.Exited()
	if err := syscall.Kill(g.machine.Pid(), 0); err == nil {
		t.Error("QEMU is still there")
	}
}

// saved saves a guest that follows the script, and returns the file of its state.
func saved(t *testing.T, script string) (path string, hello wire.Hello, err error) {
	t.Helper()
	var log bytes.Buffer
	g, err := boot(t, t.Context(), script, patient(), &log)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "state")
	return path, g.Hello, g.Save(t.Context(), path)
}

func TestARestoredGuestIsTheOneThatWasSaved(t *testing.T) {
	state, hello, err := saved(t, "behaves")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t, "behaves")
	cfg.RAM, cfg.Restore = "ram", true
	for range 2 {
		var log bytes.Buffer
		g, err := Restore(t.Context(), cfg, state, hello, patient(), &log)
		if err != nil {
			t.Fatal(err)
		}
		tr, err := g.Run(t.Context(), "p", nil)
		if err != nil {
			t.Fatal(err)
		}
		checkWhole(t, tr)
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestAGuestThatIsNotRestoredIsAFailure(t *testing.T) {
	for _, c := range []struct {
		script   string
		timeouts qemu.Timeouts
		spoil    func(state string) error
		kind     failure.Kind
		message  string
	}{
		{"restores deaf", short, nil, failure.Hang, "restore: no answer"},
		{"restores another", patient(), nil, failure.Protocol, "9.9.9-fake"},
		{"behaves", patient(), os.Remove, failure.Protocol, "restore the guest: QMP migrate-incoming failed"},
	} {
		state, hello, err := saved(t, c.script)
		if err != nil {
			t.Fatal(err)
		}
		if c.spoil != nil {
			if err := c.spoil(state); err != nil {
				t.Fatal(err)
			}
		}
		cfg := config(t, c.script)
		cfg.RAM, cfg.Restore = "ram", true
		var log bytes.Buffer
		_, err = Restore(t.Context(), cfg, state, hello, c.timeouts, &log)
		var f *failure.Failure
		if !errors.As(err, &f) || f.Kind != c.kind || !strings.Contains(f.Message, c.message) {
			t.Errorf("%s: got %v, want %s with %q", c.script, err, c.kind, c.message)
		}
	}
	if _, _, err := saved(t, "cannot be saved"); err == nil || !strings.Contains(err.Error(), "QMP migrate failed") {
		t.Errorf("a guest that cannot be saved: %v", err)
	}
}
