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

// Find returns the claims whose status is not the same in all of the reports, by cell and
// claim. A claim that one of them lacks was not run there.
func Find(reports []report.Report) []Flake {
	type key struct{ cell, claim string }
	seen := map[key][]verdict.Outcome{}
	var keys []key
	for i, r := range reports {
		for _, o := range r.Outcomes {
			k := key{o.Cell, o.Claim}
			if _, known := seen[k]; !known {
				keys = append(keys, k)
				seen[k] = make([]verdict.Outcome, len(reports))
				for j := range seen[k] {
					seen[k][j] = verdict.Outcome{Cell: o.Cell, Claim: o.Claim, Level: o.Level, Status: verdict.NotRun}
				}
			}
			seen[k][i] = o
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.cell, b.cell), cmp.Compare(a.claim, b.claim)) })
	var all []Flake
	for _, k := range keys {
		outcomes := seen[k]
		if !slices.ContainsFunc(outcomes, func(o verdict.Outcome) bool { return o.Status != outcomes[0].Status }) {
			continue
		}
		f := Flake{Cell: k.cell, Claim: k.claim, Level: outcomes[0].Level, Counts: verdict.Count(outcomes)}
		for i, o := range outcomes {
			if o.Status == verdict.Pass {
				continue
			}
			f.Runs = append(f.Runs, i+1)
			f.Reason = cmp.Or(f.Reason, o.Text())
		}
		all = append(all, f)
	}
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
