package main

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

func TestTargetsAreNamedAsTheHelpSays(t *testing.T) {
	env := func(name string) string {
		if name == "SW64_QEMU_USER" {
			return "/opt/qemu-sw64 -cpu core3"
		}
		return ""
	}
	for _, c := range []struct {
		where, arch string
		want        matrix.Host
		wrong       string
	}{
		{"native", "", matrix.Native, ""},
		{"ssh://root@board:22", "", matrix.SSH, ""},
		{"user", "sw64", matrix.UserMode, ""},
		{"user", "", "", "needs --arch"},
		{"user", "vax", "", "unknown architecture"},
		{"board", "", "", "use native"},
	} {
		o, err := aim{where: c.where}.options(c.arch, env)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: %v", c.where, err)
			}
			continue
		}
		if err != nil || o.Host != c.want {
			t.Errorf("%s: %+v, %v", c.where, o, err)
		}
		if c.want == matrix.UserMode && strings.Join(o.Emulator, " ") != "/opt/qemu-sw64 -cpu core3" {
			t.Errorf("%q", o.Emulator)
		}
	}
}

// TestAnEmulatorCertifiesNothing fails if user-mode emulation ends as conformant,
// or accuses a kernel.
func TestAnEmulatorCertifiesNothing(t *testing.T) {
	for _, status := range []verdict.Status{verdict.Pass, verdict.Fail, verdict.NotRun} {
		d := uncertified(verdict.Decide([]verdict.Outcome{{Level: verdict.Must, Status: status}}))
		if d.Verdict != verdict.Incomplete || d.ExitCode != verdict.ExitIncomplete {
			t.Errorf("%s: %+v", status, d)
		}
	}
	if d := uncertified(verdict.Decide([]verdict.Outcome{{Status: verdict.Error}})); d.ExitCode != verdict.ExitInfrastructure {
		t.Errorf("%+v", d)
	}
}

func TestAnAlteredSystemIsAnError(t *testing.T) {
	well, changed := evidence.CellRun{}, evidence.CellRun{Failure: &failure.Failure{Kind: failure.Altered, Message: "pid_max"}}
	if err := altered([]evidence.CellRun{well}); err != nil {
		t.Error(err)
	}
	if err := altered([]evidence.CellRun{well, changed}); err == nil {
		t.Error("nobody is told")
	}
}
