package claim

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/onsi/gomega"

	record "github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
)

// Judge decides one claim on one cell. It is pure: the same evidence always gives
// the same outcome. It leaves Outcome.Suite to the caller, who knows the suite.
func Judge(c Claim, ev Evidence, devs []Deviation) verdict.Outcome {
	out := verdict.Outcome{Cell: ev.Cell.Name, Claim: c.ID, Level: c.Level, Probe: c.Probe}
	decide(&out, c, ev)
	return applyDeviation(out, devs)
}

// Judge decides every claim of the suite on one cell, in the suite's order.
func (a Suite) Judge(ev Evidence, devs []Deviation) []verdict.Outcome {
	outcomes := make([]verdict.Outcome, 0, len(a.Claims))
	for _, c := range a.Claims {
		o := Judge(c, ev, devs)
		o.Suite = a.Name
		outcomes = append(outcomes, o)
	}
	if a.Floor > 0 {
		outcomes = append(outcomes, a.floor(ev, outcomes))
	}
	return outcomes
}

// decide judges a claim without deviations. Applicability comes first: it does not
// depend on the run, so a claim on a cell that never booted is still unsupported.
func decide(out *verdict.Outcome, c Claim, ev Evidence) {
	table, known := abi.Lookup(ev.Cell.Arch)
	if ev.Cell.Arch == "" && ev.Lost.Why != "" {
		out.Status, out.Reason = missingProbe(c, ev) // nobody supplied what could say it
		return
	}
	if !known {
		out.Status = verdict.Error
		out.Reason = fmt.Sprintf("architecture %q has no table in poc/abi, so nothing can be expected of it", ev.Cell.Arch)
		return
	}
	if reason := c.Inapplicable(ev.Cell, table); reason != "" {
		out.Status, out.Reason = verdict.Unsupported, reason
		return
	}
	t, ran := ev.Transcripts[c.Probe]
	if !ran {
		out.Status, out.Reason = missingProbe(c, ev)
		return
	}
	out.Where.Path = record.Transcript(ev.Cell.Name, c.Probe)
	f := ev.Facts
	if f == nil && c.Factless {
		f = &facts.Facts{Arch: ev.Cell.Arch}
	}
	if f == nil {
		out.Status, out.Reason = verdict.Error, withLoss("the target's facts are missing, so nothing can be expected of it", ev.Lost)
		return
	}
	shown := Shows(*f, ev.Transcripts)
	if lacking, sight, lacks := c.lacks(shown); lacks {
		out.Feature = lacking.Name
		out.Status, out.Reason = lacking.without(shown, sight)
		if out.Status == verdict.Error {
			out.Reason = withLoss(out.Reason+exitState(t.Exit), ev.Lost)
		}
		return
	}
	observed(out, c, ev, t, *f)
}

// observed decides a claim that applies from what its probe saw.
func observed(out *verdict.Outcome, c Claim, ev Evidence, t wire.Transcript, f facts.Facts) {
	missing := check(out, c, t, f)
	if missing && ev.Cell.Host != "" {
		// Guests have all that probes need. A system that runs already may lack it,
		// or its user may lack the right to it.
		out.Status = verdict.NotRun
		out.Reason += unprivileged(f) + exitState(t.Exit)
		return
	}
	if out.Status == verdict.Fail && c.Finding != "" {
		out.Reason += "\na defect that fails this claim is known: docs/findings.md#" + c.Finding
	}
	if out.Status == verdict.Fail && ev.Cell.Host != "" && f.UID != 0 {
		// Claims expect root, as in guests. A user may rightly be refused
		// (mmap_min_addr, RLIMIT_MEMLOCK), which is no fault of the kernel.
		out.Status = verdict.NotRun
		out.Reason += fmt.Sprintf("\nthis does not hold for user %d, which proves nothing: it is expected of root; run as root to decide it", f.UID)
		return
	}
	if out.Status == verdict.Pass && !t.Exit.Clean() {
		// The observations may be right, but something else went wrong that no
		// check looked at. A failure stays a failure: it was observed.
		out.Status, out.Reason = verdict.Error, "the check holds, but the probe did not end well"
	}
	if out.Status == verdict.Error {
		out.Reason = withLoss(out.Reason+exitState(t.Exit), ev.Lost)
	}
}

// unprivileged tells a user other than root that root may see more.
func unprivileged(f facts.Facts) string {
	if f.UID == 0 {
		return ""
	}
	return fmt.Sprintf("\nthe probes ran as user %d; root may see more", f.UID)
}

// missingProbe returns the outcome of a claim whose probe left no transcript.
func missingProbe(c Claim, ev Evidence) (verdict.Status, string) {
	lost := ev.lost(c.Probe)
	switch {
	case lost.Why == "":
		return verdict.NotRun, fmt.Sprintf("probe %s has no transcript", c.Probe)
	case lost.Status == verdict.Error:
		return verdict.Error, lost.Why
	}
	// A loss never decides a claim, whatever its status says.
	return verdict.NotRun, lost.Why
}

func withLoss(reason string, lost Loss) string {
	if lost.Why == "" {
		return reason
	}
	return reason + "\n" + lost.Why
}

// failed is the panic that stops a check at its first failed expectation. What
// follows would read results that are meaningless by then.
type failed struct{}

// check runs the claim's check, and gives the outcome how it ended and what it compared.
// missing reports that the transcript lacks something that the check needs.
func check(out *verdict.Outcome, c Claim, t wire.Transcript, f facts.Facts) (missing bool) {
	g := &expectations{Gomega: gomega.NewGomega(func(string, ...int) { panic(failed{}) })}
	read := map[string]bool{}
	seen := func(step, _ string) {
		if out.Where.Step = step; !read[step] {
			read[step] = true
			out.Where.Read = append(out.Where.Read, step)
		}
	}
	defer func() {
		out.Expectations = g.made
		switch r := recover().(type) {
		case nil:
		case failed:
			out.Status, out.Reason = verdict.Fail, cmp.Or(g.last.subject(), "an expectation of the check does not hold")
			out.Expected, out.Observed = g.last.expected(), g.last.observed()
		case Missing:
			out.Status, out.Reason = verdict.Error, r.Error()
			missing = true
		default:
			// A defect of the check must not end the other claims, nor be taken
			// for a defect of the kernel.
			out.Status, out.Reason = verdict.Error, fmt.Sprintf("the check of %s panicked: %v", c.ID, r)
		}
	}()
	// Gomega reports a matcher that does not fit its value as a failure too, so
	// a check must use its matchers correctly.
	c.Check(g, Watched(t, seen), f)
	if g.made == 0 {
		out.Status, out.Reason = verdict.Error, fmt.Sprintf("the check of %s expected nothing, so it decided nothing", c.ID)
		return false
	}
	out.Status = verdict.Pass
	out.Expected, out.Observed = g.last.expected(), g.last.observed()
	return false
}

// exitState explains a missing step: how the probe ended, and what it said.
func exitState(e wire.Exit) string {
	var b strings.Builder
	switch {
	case e.TimedOut:
		b.WriteString("\nthe probe was killed after its time limit")
	case e.Signal != "":
		fmt.Fprintf(&b, "\nthe probe was killed by %s", e.Signal)
	case e.Code != 0:
		fmt.Fprintf(&b, "\nthe probe exited with status %d", e.Code)
	}
	if e.Dropped > 0 {
		fmt.Fprintf(&b, "\n%d lines of its output were no observations", e.Dropped)
	}
	if tail := lastLines(e.Stderr, stderrLines); tail != "" {
		b.WriteString("\nits last words:\n" + tail)
	}
	return b.String()
}

// stderrLines is the number of lines that a reason quotes of a probe's standard
// error. The evidence holds all of it.
const stderrLines = 12

// lastLines returns the last n lines of a text. The line in which Go says why a program
// ended is never left out: what follows it is only the stacks.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) <= n {
		return strings.Join(lines, "\n")
	}
	before, last := lines[:len(lines)-n], strings.Join(lines[len(lines)-n:], "\n")
	for _, line := range before {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line + "\n[...]\n" + last
		}
	}
	return last
}
