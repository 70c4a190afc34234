// Package claim defines a claim, its check, and how a check becomes an outcome.
package claim

import (
	"slices"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
)

// Claim is one numbered, sourced sentence about behaviour, and the check that
// decides it. Everything about a claim is in its literal.
type Claim struct {
	// ID never changes: two letters and three digits, such as "MS-003".
	ID      string
	Level   verdict.Level
	English string // one sentence, present tense, names the behaviour
	Chinese string // the same sentence
	// Source says where the expectation comes from: kernel file, man page,
	// or the kernels it was observed on.
	Source string
	// Finding is the heading's name in docs/findings.md of a defect that is known to fail
	// the claim; empty if none is. Both languages of that page have it as an anchor.
	Finding string
	// Probe is the probe whose transcript the check reads; empty means the
	// probe of the suite.
	Probe string
	// Needs lists what the architecture must have for the claim to apply.
	Needs []abi.Feature
	// Features lists what the system must have for the claim to apply, as the system
	// shows it after the run.
	Features []Feature
	// Unsupported decides before anything runs that the claim does not apply to
	// a cell. It returns the reason, or "" when the claim applies. It is for
	// what Needs cannot say; nil means that there is nothing more to say.
	Unsupported func(c matrix.Cell, a abi.Table) string
	// UserMode says whether a user-mode emulator decides the claim, or why not.
	UserMode UserMode
	// Uninjectable is the reason why no defect model can make a MUST fail;
	// empty means that one can. For other claims see Suite.Unmodelled.
	Uninjectable string
	// Factless marks a check that reads only the architecture from the facts, so
	// that it also decides a target that reported no facts.
	Factless bool
	// Check decides the claim from what was observed and nothing else.
	Check func(g gomega.Gomega, t Transcript, f facts.Facts)
}

// Where makes an Unsupported that looks at the architecture alone.
func Where(reason func(a abi.Table) string) func(matrix.Cell, abi.Table) string {
	return func(_ matrix.Cell, a abi.Table) string { return reason(a) }
}

// Inapplicable returns the reason why a claim does not apply to a cell, known
// before anything runs, or "" when the claim applies.
func (c Claim) Inapplicable(cell matrix.Cell, a abi.Table) string {
	for _, f := range c.Needs {
		if reason := a.Lacks(f); reason != "" {
			return reason
		}
	}
	if c.Unsupported != nil {
		if reason := c.Unsupported(cell, a); reason != "" {
			return reason
		}
	}
	if cell.Host == matrix.UserMode {
		return c.UserMode.undecided()
	}
	return ""
}

// Suite holds the claims of one folder under suites/.
type Suite struct {
	Name string // the suite's folder under suites/
	// Prefix is the two letters that the IDs of the suite's claims begin with.
	Prefix string
	// Probe is the probe of every claim that names no other.
	Probe string
	// Floor is the number of claims that must be decided on a cell for a verdict on
	// it. Of claims that do not apply to the architecture none is asked for.
	Floor int
	// Unmodelled is the reason why those claims that decide no verdict have no defect model
	// of their own. Empty means that nothing is in the way of one.
	Unmodelled string
	// About says in one line what the suite is about.
	About  Text
	Claims []Claim
}

// Text holds one text in both languages.
type Text struct{ English, Chinese string }

// Join returns the suite with the claims of several groups, in their order. A
// claim without a probe gets the suite's.
func (a Suite) Join(groups ...[]Claim) Suite {
	a.Claims = slices.Concat(append([][]Claim{a.Claims}, groups...)...)
	for i := range a.Claims {
		if a.Claims[i].Probe == "" {
			a.Claims[i].Probe = a.Probe
		}
	}
	return a
}

// Evidence holds all that is known of one cell after a run.
type Evidence struct {
	Cell        matrix.Cell
	Facts       *facts.Facts               // nil when the target never said what it is
	Transcripts map[string]wire.Transcript // by probe
	// Lost says why transcripts are missing: the kernel did not boot, or the host
	// ran out of disk. LostBy says the same for single probes, by probe.
	Lost   Loss
	LostBy map[string]Loss
}

// Loss says why something was not observed. The zero Loss means that nothing was
// lost.
type Loss struct {
	Why string
	// Status is the status of the claims that need it: NotRun when the kernel is
	// to blame, Error when the harness is.
	Status verdict.Status
}

// lost returns the loss of a probe, or else the loss of the whole cell.
func (ev Evidence) lost(probe string) Loss {
	if l, ok := ev.LostBy[probe]; ok {
		return l
	}
	return ev.Lost
}

// Transcript gives checks access to observations. A missing step or value is never
// a kernel's fault: the accessors stop the check, and the outcome is an error, not
// a failure.
type Transcript struct {
	wire.Transcript
	seen func(step, key string) // see Watched; nil for nobody
}
