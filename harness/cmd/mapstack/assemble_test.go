package main

import (
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// TestAnEmulatorCertifiesNothing fails if a run under user-mode emulation is conformant, or
// accuses a kernel.
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
