package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// saying returns the text of a console on which stage 0 wrote records between the kernel's
// lines.
func saying(t *testing.T, records ...wire.Record) string {
	t.Helper()
	text := "[    0.1] Run /init as init process\n"
	for i, r := range records {
		line, err := wire.EncodeJSON(wire.EarlyPrefix, uint32(i), r)
		if err != nil {
			t.Fatal(err)
		}
		text += "[    0.2] random: crng init done " + string(line)
	}
	return text + strings.Repeat("x", 3*wire.MaxLine) + "\n"
}

func TestStage0IsReadFromAConsole(t *testing.T) {
	step := func(name string, errno int) wire.Record {
		return wire.Record{Kind: wire.KindObservation, Observation: &wire.Observation{Step: name, Errno: errno}}
	}
	done := wire.Record{Kind: wire.KindDone, Exit: &wire.Exit{}}
	for name, c := range map[string]struct {
		arch, console string
		want          int
		says          string
	}{
		"well":        {"sw64", saying(t, step(stage0.Unknown, 78), done), verdict.ExitConformant, ""},
		"another ABI": {"sw_64", saying(t, step(stage0.Unknown, 38), done), verdict.ExitNonConformant, "ENOSYS of sw64 is 78"},
		"not the end": {"sw64", saying(t, step(stage0.Unknown, 78)), verdict.ExitIncomplete, ""},
		"nothing":     {"sw64", "hello\n", verdict.ExitIncomplete, ""},
	} {
		var out, said bytes.Buffer
		cmd := root()
		cmd.SetArgs([]string{"stage0", "read", c.arch})
		cmd.SetIn(strings.NewReader(c.console))
		cmd.SetOut(&out)
		cmd.SetErr(&said)
		err := cmd.ExecuteContext(t.Context())
		var code exitError
		if err != nil && !errors.As(err, &code) {
			t.Errorf("%s: %v", name, err)
		}
		if int(code) != c.want || !strings.Contains(said.String(), c.says) || !strings.Contains(out.String(), `"probe": "stage0"`) {
			t.Errorf("%s: exit %d, want %d\n%s\n%s", name, code, c.want, &said, &out)
		}
	}
}

func TestStage0OfAnUnknownArchitectureIsRefused(t *testing.T) {
	for _, args := range [][]string{{"make", "s390x", filepath.Join(t.TempDir(), "f")}, {"make", "vax", filepath.Join(t.TempDir(), "f")}, {"read", "vax"}} {
		cmd := root()
		cmd.SetArgs(append([]string{"stage0"}, args...))
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), args[1]) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
