// Package explain tells what a claim, a suite or a defect model is, what proves it, what is
// recorded of it, and what to do when a claim fails.
package explain

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/mapstack/conformance/harness/judge/killtable"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/poc/defect"
)

// Claim is a claim with what its literal says beside what reports list.
type Claim struct {
	report.Claim
	// Probe is the probe that the claim reads; "" for the claim that counts the others.
	Probe string
	// Steps are the steps of the probe that the claim reads on recorded kernels.
	Steps []string
	// Needs names what the architecture or the system must have.
	Needs []report.Text
	// On and Off are the architectures (GOARCH) that the claim is about, and those that it
	// leaves out. Both are empty for a claim about all.
	On, Off []string
	// Finding is the anchor of a defect in docs/findings.md that fails the claim; "" for none.
	Finding string
}

// Suite is a suite as its folder states it.
type Suite struct {
	Name   string
	Prefix string // two letters, which the IDs of new claims begin with
	About  report.Text
	Floor  int // claims that must be decided on a cell; 0 for no such number
}

// Recorded is how a claim is decided on recorded evidence.
type Recorded struct {
	Claim, Cell string
	Status      verdict.Status
	Reason      string // on one line; "" for a pass
}

// Known is a record that expects or accepts that a claim fails.
type Known struct {
	Claim  string
	File   string // of the fixtures
	Cells  []string
	Reason string
	Link   string // where the reason can be checked
	Ends   string // when the record ends, such as "2027-12-31"; "" for never
}

// Library is all that can be explained.
type Library struct {
	Suites   []Suite
	Claims   []Claim // by suite
	Models   []defect.Model
	Proofs   killtable.Proofs
	Recorded []Recorded
	Known    []Known
	Findings []Finding // in the language of the reader
}

// Explain explains the claim, the suite or the defect model with a name, in capitals or not. The
// error for an unknown name has the nearest ones.
func (l Library) Explain(w io.Writer, name string, to language.Language) error {
	p := &page{Library: l, Language: to}
	switch {
	case p.claim(name), p.suite(name), p.defect(name):
		_, err := io.WriteString(w, p.String())
		return err
	}
	return fmt.Errorf("%q is no claim, no suite and no defect; the nearest names are %s; docs/claims.md lists all claims",
		name, strings.Join(l.nearest(name), ", "))
}

// nearestNames is how many names an error offers.
const nearestNames = 3

// nearest returns the known names that differ from a name in the fewest characters, the
// nearest first.
func (l Library) nearest(name string) []string {
	var all []string
	for _, s := range l.Suites {
		all = append(all, s.Name)
	}
	for _, c := range l.Claims {
		all = append(all, c.ID)
	}
	for _, m := range l.Models {
		all = append(all, m.Name)
	}
	name = strings.ToUpper(name)
	far := func(s string) int { return levenshtein.ComputeDistance(name, strings.ToUpper(s)) }
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(far(a), far(b)) })
	return all[:min(nearestNames, len(all))]
}

// of returns the recorded outcomes of a claim that have a status.
func (l Library) of(claim string, s verdict.Status) (some []Recorded) {
	for _, r := range l.Recorded {
		if r.Claim == claim && r.Status == s {
			some = append(some, r)
		}
	}
	return some
}

// Catchers returns the claims that catch a defect, each with the cells where it does if it is
// not all of them.
func (l Library) Catchers(name string) (claims []Claim, on []string) {
	for _, c := range l.Claims {
		for _, k := range l.Proofs[c.ID].Catches {
			if k.Defect == name {
				claims, on = append(claims, c), append(on, k.On)
			}
		}
	}
	return claims, on
}

// about returns the findings that name a claim, and the one that the claim itself names.
func (l Library) about(c Claim) (some []Finding) {
	for _, f := range l.Findings {
		if f.Anchor == c.Finding || f.Names(c.ID) {
			some = append(some, f)
		}
	}
	return some
}
