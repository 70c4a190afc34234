package verdict

import "testing"

// TestOnlyErrorsAreAskedAgain fails if a failure that a probe saw could be lost because the
// probe is run once more.
func TestOnlyErrorsAreAskedAgain(t *testing.T) {
	result := func(claim string, level Level, status Status) Outcome {
		return Outcome{Claim: claim, Level: level, Status: status, Probe: "p", Reason: "a reason"}
	}
	undecidable := result("MS-001", Must, Error)
	known, accepted, over := result("MS-002", Must, Fail), result("MS-002", Must, Fail), result("MS-002", Must, Fail)
	known.Known.Reason, accepted.Deviation.Reason, over.Known.Over = "it fails here", "it may", "it was mended"
	floor := result("MS-000", Must, Error)
	floor.Probe = ""
	other := result("MS-003", Must, Fail)
	other.Probe = "q"
	for name, c := range map[string]struct {
		outcomes []Outcome
		again    bool
	}{
		"nothing":                  {nil, false},
		"a pass":                   {[]Outcome{result("MS-002", Must, Pass)}, false},
		"a claim that did not run": {[]Outcome{result("MS-002", Must, NotRun)}, false},
		"an error":                 {[]Outcome{undecidable, result("MS-002", Must, Pass)}, true},
		"an error of a SHOULD":     {[]Outcome{result("MS-001", Should, Error)}, true},
		"too few decided":          {[]Outcome{floor}, false},
		"a MUST that fails":        {[]Outcome{undecidable, result("MS-002", Must, Fail)}, false},
		"a SHOULD that fails":      {[]Outcome{result("MS-002", Should, Fail), undecidable}, false},
		"a MAY that fails":         {[]Outcome{undecidable, result("MS-002", May, Fail)}, true},
		"a known failure":          {[]Outcome{undecidable, known}, true},
		"one that is over":         {[]Outcome{undecidable, over}, false},
		"an accepted failure":      {[]Outcome{undecidable, accepted}, true},
		"another probe's failure":  {[]Outcome{undecidable, other}, true},
	} {
		got := Undecided(c.outcomes)
		if why, again := got["p"]; again != c.again || len(got) > 1 || again && why != "claim MS-001 could not be decided: a reason" {
			t.Errorf("%s: %v", name, got)
		}
	}
}
