package toolbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

func TestMain(m *testing.M) {
	// A real archive keeps its connections open for the next file.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

func record(t *testing.T, name string) arch.Record {
	t.Helper()
	rec, err := arch.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// inPath sets PATH to a folder that holds only the script, as qemu-system-x86_64.
func inPath(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	path := filepath.Join(dir, "qemu-system-x86_64")
	if script == "" {
		return path
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestQEMUOfThisMachineIsUsedOnlyIfItWillDo(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		refused      string // why, "" for accepted
		version      string
	}{
		{"new enough", `[ "$1" = --version ] && echo "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)"; echo Copyright`, "", "10.0.2 (Debian 1:10.0.2+ds-2)"},
		{"newer, without patch level", `echo "QEMU emulator version 11.1"`, "", "11.1"},
		{"too old", `echo "QEMU emulator version 7.2.17 (Debian 1:7.2+dfsg-7)"`, "older than 10.0", ""},
		{"too old but sorted after ten as text", `echo "QEMU emulator version 9.2.0"`, "older than 10.0", ""},
		{"absent", "", "not in PATH", ""},
		{"broken", `echo "error while loading shared libraries" >&2; exit 127`, "shared libraries", ""},
		{"something else", `echo hello`, "names no QEMU version", ""},
		{"silent", `exit 0`, "names no QEMU version", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := inPath(t, tc.script)
			q, err := fromPath(t.Context(), record(t, "amd64"))
			if tc.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tc.refused) {
					t.Errorf("error is %v, want one that says %q", err, tc.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(q.Argv) != 1 || q.Argv[0] != path || q.Version != tc.version || q.Source != "PATH" || len(q.Build) != 64 {
				t.Errorf("found %+v, want version %q at %s", q, tc.version, path)
			}
		})
	}
}

// TestAUserModeEmulatorIsNamedInEvidence fails if a report cannot tell two emulators
// apart, or if an emulator without a version cannot be used.
func TestAUserModeEmulatorIsNamedInEvidence(t *testing.T) {
	for script, want := range map[string]string{
		`[ "$3" = --version ] && echo "qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7)"; echo Copyright`: "7.2.22 (Debian 1:7.2+dfsg-7)",
		`exit 1`: "unknown",
	} {
		path := inPath(t, script)
		q, err := UserMode(t.Context(), []string{path, "-cpu", "max"}, "PATH")
		if err != nil || q.Version != want || len(q.Build) != 64 || len(q.Argv) != 3 {
			t.Errorf("%s: %+v, %v", script, q, err)
		}
	}
	if q, err := UserMode(t.Context(), []string{"no-such-emulator"}, "PATH"); err == nil {
		t.Errorf("%+v", q)
	}
}

func TestQEMUThatFloodsDoesNotFillMemory(t *testing.T) {
	var h headText
	for range 1000 {
		if n, err := h.Write(make([]byte, 1000)); n != 1000 || err != nil {
			t.Fatal(n, err)
		}
	}
	if h.Len() > 32<<10 {
		t.Errorf("%d bytes were kept", h.Len())
	}
}

func TestHangingQEMUEndsWithTheRun(t *testing.T) {
	path := inPath(t, "while :; do :; done")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := askVersion(ctx, []string{path}); err == nil {
		t.Error("no error")
	}
}

func FuzzNewEnough(f *testing.F) {
	for _, s := range []string{"10.0.2 (Debian)", "9.2", "10", "", ".", "99999999999999999999.1", "10.x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ok, err := newEnough(s); ok && err != nil {
			t.Errorf("%q is new enough and an error: %v", s, err)
		}
	})
}

// TestTheFirmwareIsTheOneThatIsFoundFirst fails if the report names another file than the
// emulator loads, or one where none is.
// TestAnEmulatorThatWasStoppedIsAskedAgain fails if a run ends because somebody stopped the
// program that was asked for its version.
func TestAnEmulatorThatWasStoppedIsAskedAgain(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"once":   {`if [ -e "$0.asked" ]; then echo hello; else : >"$0.asked"; kill -STOP $$; fi`, "hello\n"},
		"always": {`kill -STOP $$`, ""},
	} {
		said, err := askFor(t.Context(), 2*time.Second, []string{inPath(t, c.script)})
		if said != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stopped %s: %q, %v", name, said, err)
		}
	}
}

func TestTheFirmwareIsTheOneThatIsFoundFirst(t *testing.T) {
	empty, first, second := t.TempDir(), t.TempDir(), t.TempDir()
	for dir, text := range map[string]string{first: "first", second: "second"} {
		if err := os.WriteFile(filepath.Join(dir, "core3-hmcode"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := inPath(t, `[ "$1 $2" = "-L help" ] && printf '%s\n' `+empty+" "+first+" "+second)
	q := QEMU{Argv: []string{path}}
	// echo -n first | sha256sum
	const want = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"
	if got, err := q.Firmware(t.Context(), "core3-hmcode"); err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := q.Firmware(t.Context(), "core4-hmcode"); err == nil {
		t.Errorf("a file that is in none of the folders has the hash %s", got)
	}
}

// TestTheMachinesAreThoseThatTheEmulatorLists fails if a title counts as a machine, or if an
// emulator that lists nothing is believed.
func TestTheMachinesAreThoseThatTheEmulatorLists(t *testing.T) {
	list := `[ "$1 $2" = "-machine help" ] && printf '%s\n' "Supported machines are:" "core3                core3 BOARD" "none                 empty machine" "$(printf '\033[2J') x"`
	q := QEMU{Argv: []string{inPath(t, list)}}
	if got, err := q.Machines(t.Context()); err != nil || strings.Join(got, " ") != "core3 none" {
		t.Errorf("%q, %v", got, err)
	}
	q = QEMU{Argv: []string{inPath(t, "echo Supported machines are:")}}
	if got, err := q.Machines(t.Context()); err == nil {
		t.Errorf("%q", got)
	}
}
