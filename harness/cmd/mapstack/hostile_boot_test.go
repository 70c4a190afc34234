//go:build boot

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix/arch"
)

// maxGuestMemory bounds what one guest may make this program use, in bytes of resident memory:
// frames that wait, a line, and the observations of a run.
const maxGuestMemory = 64 << 20

// TestBootHostileGuestsAreTypedRightly boots a real kernel whose first process is hostile.
// Each guest must end as what it is, in bounded memory, and an honest answer must be heard
// whatever was said around it.
func TestBootHostileGuestsAreTypedRightly(t *testing.T) {
	l := openLab(t, "amd64-debian12-6.1")
	program := filepath.Join(t.TempDir(), "init")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/hostileinit")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64")
	said(t, build)
	init, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	files := []cpio.Record{cpio.Directory("dev", 0o755), cpio.Directory("proc", 0o755),
		cpio.CharDev("dev/console", 0o600, 5, 1), cpio.StaticFile("init", string(init), 0o755)}
	patient := qemu.TimeoutsFor(qemu.TCG, l.record.Slowness)
	short := patient // for guests that never answer
	short.Probe, short.Watchdog = 10*time.Second, 10*time.Second
	for mode, want := range map[string]struct {
		kinds []failure.Kind // none: the guest answers
		text  string         // of the failure
		shown string         // on the console
	}{
		"exit":    {[]failure.Kind{failure.Panic}, "Attempted to kill init!", ""},
		"reboot":  {[]failure.Kind{failure.Reboot}, "boot", ""},
		"liar":    {[]failure.Kind{failure.Protocol}, `"arm64"`, ""},
		"crash":   {[]failure.Kind{failure.Panic}, "sysrq triggered crash", ""},
		"still":   {[]failure.Kind{failure.Hang}, "run probe p", "still now"},
		"flood":   {[]failure.Kind{failure.Hang}, "run probe p", "] flood 1"},
		"bomb":    {[]failure.Kind{failure.Hang, failure.Panic, failure.Oops, failure.Lockup}, "run probe p", ""},
		"million": {[]failure.Kind{failure.Protocol}, "bytes allowed for one run", ""},
		"damaged": {shown: "9999999999"},
		"forged":  {shown: "@MSg"},
		"line":    {shown: strings.Repeat("x", 1<<16)},
		"escapes": {shown: "]0;title"},
		"traces":  {shown: "Show backtrace of all active CPUs"},
	} {
		t.Run(mode, func(t *testing.T) {
			cfg := l.config(files)
			cfg.Extra = []arch.Param{{Value: "hostile=" + mode, Reason: "a test"}}
			limits := patient
			if slices.Contains(want.kinds, failure.Hang) {
				limits = short
			}
			before := resetPeak(t)
			var log bytes.Buffer
			g, err := target.Boot(t.Context(), cfg, limits, &log)
			if err == nil {
				tr, runErr := g.Run(t.Context(), "p", nil)
				if err = errors.Join(runErr, g.Stop()); err == nil && (len(tr.Observations) != 1 || !tr.Exit.Clean()) {
					t.Errorf("the answer is %+v", tr)
				}
			}
			console := log.String()
			// The log is in memory here, and on the disk in a run.
			if grown := peak(t) - before - 4*int64(log.Cap()); grown > maxGuestMemory {
				t.Errorf("the guest took %d MiB of this program's memory", grown>>20)
			}
			if !strings.Contains(console, want.shown) {
				t.Errorf("the console lacks %.40q, so that nothing was tried", want.shown)
			}
			var f *failure.Failure
			switch {
			case len(want.kinds) == 0 && err != nil:
				t.Errorf("an honest answer was not heard: %v", err)
			case len(want.kinds) > 0 && !errors.As(err, &f):
				t.Errorf("%v is no failure", err)
			case f != nil:
				if !slices.Contains(want.kinds, f.Kind) || !strings.Contains(f.Message, want.text) {
					t.Errorf("%s: %s; want %v with %q", f.Kind, f.Message, want.kinds, want.text)
				}
				if shown := foreign.Lines(f.Error()); strings.ContainsAny(shown, "\x1b\x07\u202e\u009b") {
					t.Errorf("raw: %q", shown)
				}
			}
			if t.Failed() {
				t.Logf("console:\n%s", foreign.Lines(console[max(0, len(console)-3000):]))
			}
		})
	}
}

// resetPeak begins a new measurement of the largest resident memory, and returns the present
// one in bytes (proc_pid_clear_refs(5)).
func resetPeak(t *testing.T) int64 {
	t.Helper()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	return peak(t)
}

// peak returns the largest resident memory of this process, in bytes.
func peak(t *testing.T) (n int64) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(after, &n); err != nil {
		t.Fatal(err)
	}
	return n << 10
}
