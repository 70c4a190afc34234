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
// decides it.
type Claim struct {
	// ID is stable for ever: two letters and three digits, "MS-003" for row
	// MS-03 of the claim catalogue.
	ID      string
	Level   verdict.Level
	English string // one sentence, present tense, names the behaviour
	Chinese string // the same sentence
	// Source says where the expectation comes from: kernel file, man page,
	// or the kernels it was observed on.
	Source string
	// Probe is the probe run whose transcript the check reads.
	Probe string
	// Unsupported decides from data, before anything runs, that the claim
	// does not apply to a cell; it returns the reason, or "" when it applies.
	// nil means it applies everywhere.
	Unsupported func(c matrix.Cell, a abi.Table) string
	// Factless: of the facts the check reads the architecture alone, so that it
	// also decides where nothing came to tell the others.
	Factless bool
	// Check decides the claim from what was observed and nothing else.
	Check func(g gomega.Gomega, t Transcript, f facts.Facts)
}

// Where narrows a claim to the architectures for which reason returns "".
func Where(c Claim, reason func(a abi.Table) string) Claim {
	c.Unsupported = func(_ matrix.Cell, a abi.Table) string { return reason(a) }
	return c
}

// Needs narrows a claim further, to the architectures that have every feature.
func Needs(c Claim, features ...abi.Feature) Claim {
	narrower := c.Unsupported
	c.Unsupported = func(cell matrix.Cell, a abi.Table) string {
		for _, f := range features {
			if reason := a.Lacks(f); reason != "" {
				return reason
			}
		}
		if narrower == nil {
			return ""
		}
		return narrower(cell, a)
	}
	return c
}

// NeedEach narrows the claims with the given IDs as Needs does.
func NeedEach(claims []Claim, feature abi.Feature, ids ...string) []Claim {
	for i, c := range claims {
		if slices.Contains(ids, c.ID) {
			claims[i] = Needs(c, feature)
		}
	}
	return claims
}

// Suite holds the claims of one folder under suites/.
type Suite struct {
	Name   string // the suite's folder under suites/
	Claims []Claim
}

// Evidence is all that is known of one cell after a run.
type Evidence struct {
	Cell        matrix.Cell
	Facts       *facts.Facts               // nil when the target never said what it is
	Transcripts map[string]wire.Transcript // by probe
	// Lost is why transcripts are missing: the kernel did not boot, the host
	// ran out of disk. LostBy is the same for single probes, by probe.
	Lost   Loss
	LostBy map[string]Loss
}

// Loss is why something was not observed. The zero Loss is none.
type Loss struct {
	Why string
	// Status is what a claim becomes that needs it: NotRun when the kernel is
	// to blame, Error when we are.
	Status verdict.Status
}

// lost says why a probe left nothing, or not what it should.
func (ev Evidence) lost(probe string) Loss {
	if l, ok := ev.LostBy[probe]; ok {
		return l
	}
	return ev.Lost
}

// Transcript gives checks access to observations. A step or value that is not
// there is never a kernel's fault: its accessors stop the check, and the
// outcome is an error, not a failure.
type Transcript struct {
	wire.Transcript
	seen func(step, key string) // see Watched; nil for nobody
}
