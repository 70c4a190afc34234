package main

import (
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
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

// TestOnlyErrorsAreAskedAgain fails if a failure that a probe saw could be lost because the
// probe is run once more.
func TestOnlyErrorsAreAskedAgain(t *testing.T) {
	outcome := func(claim string, level verdict.Level, status verdict.Status) verdict.Outcome {
		return verdict.Outcome{Claim: claim, Level: level, Status: status, Probe: "p", Reason: "a reason"}
	}
	undecidable := outcome("MS-001", verdict.Must, verdict.Error)
	known, accepted, over := outcome("MS-002", verdict.Must, verdict.Fail), outcome("MS-002", verdict.Must, verdict.Fail), outcome("MS-002", verdict.Must, verdict.Fail)
	known.Known.Reason, accepted.Deviation.Reason, over.Known.Over = "it fails here", "it may", "it was mended"
	floor := outcome("MS-000", verdict.Must, verdict.Error)
	floor.Probe = ""
	other := outcome("MS-003", verdict.Must, verdict.Fail)
	other.Probe = "q"
	for name, c := range map[string]struct {
		outcomes []verdict.Outcome
		again    bool
	}{
		"nothing":                  {nil, false},
		"a pass":                   {[]verdict.Outcome{outcome("MS-002", verdict.Must, verdict.Pass)}, false},
		"a claim that did not run": {[]verdict.Outcome{outcome("MS-002", verdict.Must, verdict.NotRun)}, false},
		"an error":                 {[]verdict.Outcome{undecidable, outcome("MS-002", verdict.Must, verdict.Pass)}, true},
		"an error of a SHOULD":     {[]verdict.Outcome{outcome("MS-001", verdict.Should, verdict.Error)}, true},
		"too few decided":          {[]verdict.Outcome{floor}, false},
		"a MUST that fails":        {[]verdict.Outcome{undecidable, outcome("MS-002", verdict.Must, verdict.Fail)}, false},
		"a SHOULD that fails":      {[]verdict.Outcome{outcome("MS-002", verdict.Should, verdict.Fail), undecidable}, false},
		"a MAY that fails":         {[]verdict.Outcome{undecidable, outcome("MS-002", verdict.May, verdict.Fail)}, true},
		"a known failure":          {[]verdict.Outcome{undecidable, known}, true},
		"one that is over":         {[]verdict.Outcome{undecidable, over}, false},
		"an accepted failure":      {[]verdict.Outcome{undecidable, accepted}, true},
		"another probe's failure":  {[]verdict.Outcome{undecidable, other}, true},
	} {
		got := undecided(c.outcomes)
		if why, again := got["p"]; again != c.again || len(got) > 1 || again && why != "claim MS-001 could not be decided: a reason" {
			t.Errorf("%s: %v", name, got)
		}
	}
}
