package main

import (
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
)

func TestAnAlteredSystemIsAnError(t *testing.T) {
	well, changed := evidence.CellRun{}, evidence.CellRun{Failure: &failure.Failure{Kind: failure.Altered, Message: "pid_max"}}
	if err := altered([]evidence.CellRun{well}); err != nil {
		t.Error(err)
	}
	if err := altered([]evidence.CellRun{well, changed}); err == nil {
		t.Error("nobody is told")
	}
}
