package claim

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
)

// sample returns a claim that one value of one step is "yes".
func sample() Claim {
	return Claim{
		ID: "XX-001", Level: verdict.Must, English: "It is.", Chinese: "是的。", Source: "here", Probe: "p",
		Check: func(g gomega.Gomega, t Transcript, _ facts.Facts) {
			g.Expect(t.Step("s").Value("v")).To(gomega.Equal("yes"), "the value of v")
		},
	}
}

func evidence(observations ...wire.Observation) Evidence {
	return Evidence{
		Cell:        matrix.Cell{Name: "cell-a", Arch: "amd64"},
		Facts:       &facts.Facts{},
		Transcripts: map[string]wire.Transcript{"p": {Probe: "p", Observations: observations}},
	}
}

func step(name, value string) wire.Observation {
	return wire.Observation{Step: name, Values: map[string]string{"v": value}}
}

func TestJudgeNeverMistakesOneStatusForAnother(t *testing.T) {
	notBooted := Evidence{Cell: matrix.Cell{Name: "cell-a", Arch: "amd64"}, Lost: Loss{"the kernel panicked", verdict.NotRun}}
	ours := notBooted
	ours.Lost = Loss{"disk full", verdict.Error}
	claimsPass := notBooted
	claimsPass.Lost.Status = verdict.Pass
	crashed := evidence()
	crashed.Transcripts["p"] = wire.Transcript{Probe: "p", Exit: wire.Exit{Code: -1, Signal: "SIGSEGV", Stderr: "one\ntwo\n"}}
	timedOut := evidence()
	timedOut.Transcripts["p"] = wire.Transcript{Probe: "p", Exit: wire.Exit{Code: -1, Signal: "SIGKILL", TimedOut: true}}
	noFacts := evidence(step("s", "yes"))
	noFacts.Facts = nil
	noProbe := evidence()
	delete(noProbe.Transcripts, "p")
	panicked := evidence()
	panicked.Lost = Loss{"Kernel panic - not syncing", verdict.NotRun}
	itsGuestDied, anotherDied := evidence(), evidence(step("s", "yes"))
	delete(itsGuestDied.Transcripts, "p")
	itsGuestDied.LostBy = map[string]Loss{"p": {"its guest died", verdict.NotRun}}
	anotherDied.LostBy = map[string]Loss{"q": {"its guest died", verdict.NotRun}}
	unknownArch := evidence(step("s", "yes"))
	unknownArch.Cell.Arch = "vax"
	unsupplied, unsuppliedPass := notBooted, claimsPass
	unsupplied.Cell.Arch, unsuppliedPass.Cell.Arch = "", ""
	noArch := evidence(step("s", "yes"))
	noArch.Cell.Arch = ""
	crashedLater := evidence(step("s", "yes"))
	crashedLater.Transcripts["p"] = wire.Transcript{Probe: "p", Observations: []wire.Observation{step("s", "yes")}, Exit: wire.Exit{Code: 2}}
	crashedAndFailed := evidence()
	crashedAndFailed.Transcripts["p"] = wire.Transcript{Probe: "p", Observations: []wire.Observation{step("s", "no")}, Exit: wire.Exit{Code: 2}}

	inapplicable := sample()
	inapplicable.Unsupported = func(matrix.Cell, abi.Table) string { return "no such flag here" }
	vacuous := sample()
	vacuous.Check = func(gomega.Gomega, Transcript, facts.Facts) {}
	defective := sample()
	defective.Check = func(g gomega.Gomega, t Transcript, _ facts.Facts) {
		g.Expect(1).To(gomega.Equal(1))
		g.Expect(t.Observations[len(t.Observations)]).To(gomega.BeZero())
	}
	asksResult := sample()
	asksResult.Check = func(g gomega.Gomega, t Transcript, _ facts.Facts) {
		g.Expect(t.Step("s").Result()).To(gomega.BeZero())
	}

	for _, tc := range []struct {
		name   string
		claim  Claim
		ev     Evidence
		status verdict.Status
		reason []string
	}{
		{"holds", sample(), evidence(step("s", "yes")), verdict.Pass, nil},
		{"does not hold", sample(), evidence(step("s", "no")), verdict.Fail, []string{"the value of v", "yes", "no"}},
		{"step missing", sample(), evidence(step("other", "yes")), verdict.Error, []string{"never reported"}},
		{"step reported twice", sample(), evidence(step("s", "yes"), step("s", "yes")), verdict.Error, []string{"twice"}},
		{"value missing", sample(), evidence(wire.Observation{Step: "s"}), verdict.Error, []string{`"v"`, "never reported"}},
		{"value unknown", sample(), evidence(wire.Observation{Step: "s", Unknown: map[string]string{"v": "no /proc"}}), verdict.Error, []string{"no /proc"}},
		{"both known and unknown", sample(), evidence(wire.Observation{Step: "s", Values: map[string]string{"v": "yes"}, Unknown: map[string]string{"v": "?"}}), verdict.Error, nil},
		{"result of a failed call", asksResult, evidence(wire.Observation{Step: "s", Errno: 12, Error: "ENOMEM"}), verdict.Error, []string{"ENOMEM (12)"}},
		{"result that is no number", asksResult, evidence(wire.Observation{Step: "s", Ret: "soon"}), verdict.Error, []string{"soon"}},
		{"probe crashed before the step", sample(), crashed, verdict.Error, []string{"SIGSEGV", "two"}},
		{"probe hung", sample(), timedOut, verdict.Error, []string{"time limit"}},
		{"probe crashed after a step that holds", sample(), crashedLater, verdict.Error, []string{"status 2"}},
		{"probe crashed after a step that does not", sample(), crashedAndFailed, verdict.Fail, nil},
		{"kernel panicked under the probe", sample(), panicked, verdict.Error, []string{"Kernel panic"}},
		{"the probe's guest died", sample(), itsGuestDied, verdict.NotRun, []string{"its guest died"}},
		{"another probe's guest died", sample(), anotherDied, verdict.Pass, nil},
		{"did not boot", sample(), notBooted, verdict.NotRun, []string{"panicked"}},
		{"infrastructure", sample(), ours, verdict.Error, []string{"disk full"}},
		{"a failure never passes", sample(), claimsPass, verdict.NotRun, nil},
		{"probe did not run", sample(), noProbe, verdict.NotRun, []string{"p"}},
		{"no facts", sample(), noFacts, verdict.Error, []string{"facts"}},
		{"no ABI table", sample(), unknownArch, verdict.Error, []string{"vax"}},
		{"no image, so no architecture", inapplicable, unsupplied, verdict.NotRun, []string{"panicked"}},
		{"no image, and said to pass", sample(), unsuppliedPass, verdict.NotRun, nil},
		{"no architecture, and yet a transcript", sample(), noArch, verdict.Error, []string{"architecture"}},
		{"inapplicable though not booted", inapplicable, notBooted, verdict.Unsupported, []string{"no such flag"}},
		{"check without expectations", vacuous, evidence(), verdict.Error, []string{"expected nothing"}},
		{"check that panics", defective, evidence(), verdict.Error, []string{"panicked"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := Judge(tc.claim, tc.ev, nil)
			if out.Status != tc.status {
				t.Fatalf("status %s, want %s; reason: %s", out.Status, tc.status, out.Reason)
			}
			if (out.Status == verdict.Pass) != (out.Reason == "") {
				t.Errorf("every status but pass needs a reason, got %s with %q", out.Status, out.Reason)
			}
			for _, part := range tc.reason {
				if !strings.Contains(out.Text(), part) {
					t.Errorf("reason %q does not mention %q", out.Reason, part)
				}
			}
			if out.Cell != tc.ev.Cell.Name || out.Claim != tc.claim.ID || out.Level != tc.claim.Level {
				t.Errorf("outcome is labelled %+v", out)
			}
		})
	}
}

func TestCheckStopsAtTheFirstFailedExpectation(t *testing.T) {
	reached := false
	c := sample()
	c.Check = func(g gomega.Gomega, _ Transcript, _ facts.Facts) {
		g.Expect(1).To(gomega.Equal(2))
		reached = true
	}
	if out := Judge(c, evidence(), nil); out.Status != verdict.Fail || reached {
		t.Fatalf("status %s, check went on: %v", out.Status, reached)
	}
}

func TestLongStderrDoesNotDrownTheReason(t *testing.T) {
	ev := evidence()
	ev.Transcripts["p"] = wire.Transcript{Probe: "p", Exit: wire.Exit{Code: 1, Stderr: strings.Repeat("first\n", 100) + "last"}}
	reason := Judge(sample(), ev, nil).Reason
	if n := strings.Count(reason, "first"); n >= stderrLines || !strings.Contains(reason, "last") {
		t.Fatalf("reason quotes %d early lines:\n%s", n, reason)
	}
	for _, why := range []string{"panic: no control group", "fatal error: newosproc"} {
		ev.Transcripts["p"] = wire.Transcript{Probe: "p", Exit: wire.Exit{Code: 2,
			Stderr: "before\n" + why + "\n" + strings.Repeat("stack\n", 100)}}
		if reason := Judge(sample(), ev, nil).Reason; !strings.Contains(reason, why+"\n[...]\nstack\n") {
			t.Errorf("the reason shows a stack without %q:\n%s", why, reason)
		}
	}
}
