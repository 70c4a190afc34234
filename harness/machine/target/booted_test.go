package target

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/internal/fakeqemu"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix/arch"
)

// system returns a system that a fake QEMU plays.
func system(t *testing.T, script, password string, timeouts qemu.Timeouts) *Booted {
	t.Helper()
	rec, err := arch.Lookup("amd64")
	if err != nil {
		t.Fatal(err)
	}
	b := &Booted{Machine: BootedConfig(rec, script), Arch: rec, Login: Login{User: "root", Password: password}, Timeouts: timeouts}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestAgentsFollowOneAnotherInOneSystem fails if the system is booted for each agent, or if
// what services print is taken for an agent's records.
func TestAgentsFollowOneAnotherInOneSystem(t *testing.T) {
	b := system(t, "system is well", "secret", patient())
	said, err := b.Ask(t.Context(), io.Discard, "cat /etc/os-release")
	if err != nil || !strings.HasPrefix(said, "Synthetic Linux 12\nsystemd\n") {
		t.Fatalf("%q, %v", said, err)
	}
	machine := b.machine
	for range 2 {
		var log bytes.Buffer
		a, how, err := b.Start(t.Context(), &log)
		if err != nil {
			t.Fatal(err)
		}
		hello, _ := a.Greeting()
		tr, err := a.Run(t.Context(), "p", nil)
		if err := errors.Join(err, a.Stop(), a.Stop()); err != nil {
			t.Fatal(err)
		}
		if len(tr.Observations) != fakeqemu.Observations || hello.Release != "0.0.0-fake" || how != Started || b.machine != machine || !strings.Contains(log.String(), "@MS") {
			t.Errorf("%d observations, %+v, %s, the same machine: %v", len(tr.Observations), hello, how, b.machine == machine)
		}
	}
	if err := b.Unchanged(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestASystemThatCannotBeUsedSaysWhy fails if a refused login, or a missing need of the
// probes, is taken for a defect of the kernel or is not explained.
func TestASystemThatCannotBeUsedSaysWhy(t *testing.T) {
	brief := patient()
	brief.Boot = 100 * time.Millisecond
	for _, c := range []struct {
		script, password string
		timeouts         qemu.Timeouts
		kind             failure.Kind
		message          string
	}{
		{"system boots for ever", "", brief, failure.Hang, "wait for the login on the serial console"},
		{"system is well", "wrong", patient(), failure.Infra, "log in as root: the system refuses"},
		{"system asks for ever", "secret", patient(), failure.Infra, "asks for the password again and again"},
		{"system wants another password", "secret", patient(), failure.Infra, "whose password is not expired"},
		{"system without the disk", "secret", patient(), failure.Infra, "no disk with the serial number"},
		{"system without an agent", "secret", patient(), failure.NoInit, "start the agent: the agent ended, and the system did not"},
		{"refuses", "", patient(), failure.Infra, "unsupported machine type"},
	} {
		b := system(t, c.script, c.password, c.timeouts)
		a, _, err := b.Start(t.Context(), io.Discard)
		var f *failure.Failure
		if !errors.As(err, &f) || f.Kind != c.kind || !strings.Contains(f.Message, c.message) || a != nil {
			t.Errorf("%s with %q: %v, want %s with %q", c.script, c.password, err, c.kind, c.message)
		}
		if b.machine != nil {
			t.Errorf("%s: the machine is left", c.script)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := system(t, "system is well", "secret", patient()).Start(ctx, io.Discard)
	var f *failure.Failure
	if !errors.As(err, &f) || f.Kind != failure.Interrupted {
		t.Errorf("a run that was stopped: %v", err)
	}
}

// TestAKernelThatDiesTakesOneProbeAlong fails if a panic is noticed only when the probe's
// time is over, or if the next probe has no machine.
func TestAKernelThatDiesTakesOneProbeAlong(t *testing.T) {
	timeouts := patient()
	timeouts.Epitaph = 10 * time.Millisecond
	b := system(t, "system dies under a probe", "secret", timeouts)
	for range 2 {
		a, _, err := b.Start(t.Context(), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Run(t.Context(), "p", nil)
		var f *failure.Failure
		if !errors.As(err, &f) || f.Kind != failure.Oops && f.Kind != failure.Panic || !strings.Contains(f.Message, "NULL pointer") {
			t.Errorf("%v", err)
		}
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	}
}
