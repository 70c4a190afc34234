// Package flakes tells which claims are not always decided alike when the same run is repeated.
package flakes

import (
	"cmp"
	"slices"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Flake is a claim on a cell that the repeats decided differently.
type Flake struct {
	Cell  string        `json:"cell"`
	Claim string        `json:"claim"`
	Level verdict.Level `json:"level"`
	// Counts says how often the claim had each status.
	Counts verdict.Counts `json:"counts"`
	// Reason is that of the first repeat in which the claim did not pass.
	Reason string `json:"reason,omitempty"`
	// Runs are the numbers of the repeats, from 1, in which the claim did not pass.
	Runs []int `json:"runs"`
}

// Tally counts how repeats decided each claim. It keeps no report, so many repeats need little
// memory.
type Tally struct {
	// Runs is how many reports were added.
	Runs  int
	seen  map[place]*Flake
	added map[place]int // the last repeat that had the claim
}

// place is a claim on a cell.
type place struct{ cell, claim string }

// Add counts the outcomes of the next repeat.
func (t *Tally) Add(r report.Report) {
	if t.seen == nil {
		t.seen, t.added = map[place]*Flake{}, map[place]int{}
	}
	t.Runs++
	for _, o := range r.Outcomes {
		k := place{o.Cell, o.Claim}
		f := t.seen[k]
		if f == nil {
			f = &Flake{Cell: o.Cell, Claim: o.Claim, Level: o.Level}
			t.seen[k] = f
		}
		f.lacked(t.added[k], t.Runs)
		t.added[k] = t.Runs
		f.Counts.Add(o.Status)
		if o.Status != verdict.Pass {
			f.Runs = append(f.Runs, t.Runs)
			f.Reason = cmp.Or(f.Reason, o.Text())
		}
	}
}

// lacked counts the repeats between two others as ones in which the claim was not run.
func (f *Flake) lacked(after, before int) {
	for n := after + 1; n < before; n++ {
		f.Runs = append(f.Runs, n)
		f.Counts.NotRun++
	}
}

// Flakes returns the claims whose status is not the same in all repeats, by cell and claim. A
// claim that one of them lacks was not run there.
func (t *Tally) Flakes() (all []Flake) {
	for k, f := range t.seen {
		one := *f
		one.Runs = slices.Clone(f.Runs)
		one.lacked(t.added[k], t.Runs+1)
		if usual(one.Counts) < t.Runs {
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b Flake) int { return cmp.Or(cmp.Compare(a.Cell, b.Cell), cmp.Compare(a.Claim, b.Claim)) })
	return all
}

// Worst returns the exit status of repeats that ended with these: the strongest statement wins,
// as it does among the outcomes of one run.
func Worst(statuses []int) int {
	for _, status := range []int{verdict.ExitNonConformant, verdict.ExitInfrastructure, verdict.ExitIncomplete} {
		if slices.Contains(statuses, status) {
			return status
		}
	}
	return verdict.ExitConformant
}
