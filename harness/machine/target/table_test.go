package target_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/internal/fakeqemu"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
)

// programs compiles the agent and some probes.
func programs(t *testing.T, goarch string, probes ...string) map[string][]byte {
	t.Helper()
	guest := filepath.Join(t.TempDir(), "guest")
	cmd := exec.Command("go", "build", "-o", guest, "../../../poc/guest")
	cmd.Env = append(os.Environ(), "GOARCH="+goarch, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(guest)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{"init": text}
	for _, name := range probes {
		all["probes/"+name] = text
		if name == target.Held {
			b, err := os.ReadFile(os.Args[0])
			if err != nil {
				t.Fatal(err)
			}
			all["probes/"+name] = b
		}
	}
	return all
}

func connected(t *testing.T, o target.Options, goarch string, probes ...string) *target.Hosted {
	t.Helper()
	h, _, err := target.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := arch.Lookup(goarch)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Load(t.Context(), rec, programs(t, goarch, probes...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// row is a kind of target. open may skip the test, and says what the kind needs.
type row struct {
	name string
	open func(*testing.T) opened
}

// opened is a target of a kind.
type opened struct {
	target.Target
	goarch string
	how    string // the word that Start returns for its agents
	// hosted is the target itself if it is a system that runs already and has other users.
	hosted *target.Hosted
}

// asked are the probes that the table runs.
var asked = []string{"facts", "mmapabi"}

func hostedRow(name string, options func(*testing.T) (target.Options, string)) row {
	return row{name, func(t *testing.T) opened {
		o, goarch := options(t)
		h := connected(t, o, goarch, append(asked, "hostile")...)
		return opened{h, goarch, target.Started, h}
	}}
}

// running are the kinds that run already.
func running() []row {
	return []row{
		hostedRow("native", func(*testing.T) (target.Options, string) {
			return target.Options{Host: matrix.Native}, runtime.GOARCH
		}),
		hostedRow("ssh", func(t *testing.T) (target.Options, string) {
			s := serve(t)
			return target.Options{Host: matrix.SSH, Address: s.address(s.port), SSH: s.program}, runtime.GOARCH
		}),
		hostedRow("user", func(t *testing.T) (target.Options, string) {
			emulator, err := exec.LookPath("qemu-aarch64")
			if err != nil {
				t.Skip("not run: it needs qemu-aarch64; apt-get install qemu-user")
			}
			return target.Options{Host: matrix.UserMode, Emulator: []string{emulator}}, "arm64"
		}),
	}
}

// check fails if a kind of target needs handling of its own. Every probe gets a fresh agent.
// On a system with other users, harmful probes are refused and nothing stays.
func (r row) check(t *testing.T) {
	system := r.open(t)
	var folder string
	for _, probe := range asked {
		var log bytes.Buffer
		agent, how, err := system.Start(t.Context(), &log)
		if err != nil {
			t.Fatal(err)
		}
		if system.hosted != nil {
			folder = system.hosted.Folder()
		}
		got, err := agent.Run(t.Context(), probe, nil)
		if err := errors.Join(err, agent.Stop(), agent.Stop()); err != nil {
			t.Fatalf("%v\n%s", err, log.String())
		}
		hello, took := agent.Greeting()
		if how != system.how || hello.Arch != system.goarch || hello.Release == "" || took <= 0 {
			t.Errorf("%s: %s, %+v after %v", probe, how, hello, took)
		}
		if got.Probe != probe || !got.Exit.Clean() || len(got.Observations) < 5 {
			t.Errorf("%s: %d observations, %+v", got.Probe, len(got.Observations), got.Exit)
		}
	}
	if system.hosted == nil {
		return
	}
	agent, _, err := system.Start(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var refused *failure.Failure
	if _, err := agent.Run(t.Context(), "hostile", []string{"panic"}); !errors.As(err, &refused) || refused.Kind != failure.Refused {
		t.Errorf("a probe that crashes machines: %v", err)
	}
	if err := errors.Join(agent.Stop(), system.hosted.Unchanged(t.Context()), system.hosted.Close()); err != nil {
		t.Error(err)
	}
	gone(t, folder)
}

// gone fails if a folder still exists.
func gone(t *testing.T, folder string) {
	t.Helper()
	if folder == "" {
		t.Error("there was no folder")
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", folder, err)
	}
}

// scripted is QEMU guests that follow a script, for the table without a kernel.
type scripted struct{ config qemu.Config }

// booted is the word that Start returns for a guest's agents.
const booted = "booted"

func (s scripted) Start(ctx context.Context, log io.Writer) (target.Agent, string, error) {
	t := qemu.TimeoutsFor(qemu.TCG, 1)
	g, err := target.Boot(ctx, s.config, t, log)
	return g, booted, err
}

// TestOneTableForEveryTarget runs the table without a guest: a script plays QEMU. The real
// QEMU is in TestBootOneTableForEveryTarget. TestBootAWholeSystem boots an installed disk.
func TestOneTableForEveryTarget(t *testing.T) {
	script := row{"qemu", func(t *testing.T) opened {
		rec, err := arch.Lookup("amd64")
		if err != nil {
			t.Fatal(err)
		}
		return opened{scripted{qemu.Config{Prefix: fakeqemu.Prefix("behaves"), Arch: rec, Machine: rec.Machines[""], Accel: qemu.TCG,
			CPUs: 1, Memory: 128, Kernel: "kernel", Initrd: "initrd"}}, "amd64", booted, nil}
	}}
	whole := row{"full-boot", func(t *testing.T) opened {
		rec, err := arch.Lookup("amd64")
		if err != nil {
			t.Fatal(err)
		}
		b := &target.Booted{Machine: target.BootedConfig(rec, "system is well"), Arch: rec, Login: target.Login{User: "root", Password: "secret"},
			Timeouts: qemu.TimeoutsFor(qemu.TCG, 1)}
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		return opened{b, "amd64", target.Started, nil}
	}}
	for _, r := range append(running(), script, whole) {
		t.Run(r.name, r.check)
	}
}
