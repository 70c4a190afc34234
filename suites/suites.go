// Package suites holds all claims: it lists them, says which probes they need, and
// judges them on the evidence of a run.
package suites

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/address"
	"github.com/mapstack/conformance/suites/clone"
	"github.com/mapstack/conformance/suites/features"
	"github.com/mapstack/conformance/suites/goruntime"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/collect"
	"github.com/mapstack/conformance/suites/limits"
	"github.com/mapstack/conformance/suites/mapstack"
	"github.com/mapstack/conformance/suites/mmapabi"
	"github.com/mapstack/conformance/suites/protection"
	"github.com/mapstack/conformance/suites/signal"
	"github.com/mapstack/conformance/suites/stage0"
	"github.com/mapstack/conformance/suites/system"
	"github.com/mapstack/conformance/suites/tracing"
)

// All returns every suite, sorted by name.
func All() []claim.Suite {
	return []claim.Suite{
		address.Suite(), clone.Suite(), features.Suite(), goruntime.Suite(), limits.Suite(), mapstack.Suite(), mmapabi.Suite(),
		protection.Suite(), signal.Suite(), stage0.Suite(), system.Suite(), tracing.Suite(),
	}
}

// About says what each suite is about, by its name.
func About() map[string]report.Text {
	all := map[string]report.Text{}
	for _, a := range All() {
		all[a.Name] = report.Text(a.About)
	}
	return all
}

// Claims returns every claim as reports list it.
func Claims() []report.Claim { return claimsOf(All()) }

func claimsOf(suites []claim.Suite) []report.Claim {
	var list []report.Claim
	for _, a := range suites {
		for _, c := range a.Claims {
			list = append(list, report.Claim{ID: c.ID, Suite: a.Name, Level: c.Level,
				English: c.English, Chinese: c.Chinese, Source: c.Source})
		}
		if text := a.FloorText(); a.Floor > 0 {
			list = append(list, report.Claim{ID: a.FloorID(), Suite: a.Name, Level: verdict.Must,
				English: text.English, Chinese: text.Chinese, Source: "mapstack: a suite of which little was decided decides nothing"})
		}
	}
	return list
}

// Probes returns the probes to run on each cell, by cell name. They are in the order
// of ProbesFor.
func Probes(cells []matrix.Cell, focus string) (map[string][]string, error) {
	probes := map[string][]string{}
	for _, c := range cells {
		suites, err := asked(focus, c)
		if err != nil {
			return nil, err
		}
		table, known := abi.Lookup(c.Arch)
		for i := range suites {
			// A probe that only inapplicable claims read need not run.
			suites[i].Claims = slices.DeleteFunc(suites[i].Claims, func(cl claim.Claim) bool {
				return known && cl.Inapplicable(c, table) != ""
			})
		}
		probes[c.Name] = read(table, suites)
	}
	return probes, nil
}

// ProbesFor returns the probes that the claims of a focus read, in the order to
// run them. The probes that say what the target is come first, because no claim
// can be judged without them.
func ProbesFor(focus string) ([]string, error) {
	suites, err := focused(All(), focus)
	if err != nil {
		return nil, err
	}
	return read(abi.Table{}, suites), nil
}

// read returns the probes that the claims of suites read on an architecture.
func read(a abi.Table, suites []claim.Suite) []string {
	var probes []string
	for _, suite := range suites {
		for _, c := range suite.Claims {
			probes = append(probes, c.Probe)
		}
	}
	slices.Sort(probes)
	return collect.Probes(a, slices.Compact(probes)...)
}

// asked returns the claims of a focus that a cell is judged on: a cell may have
// a focus of its own.
func asked(focus string, cell matrix.Cell) ([]claim.Suite, error) {
	suites, err := focused(All(), focus)
	if err != nil || cell.Focus == "" {
		return suites, err
	}
	own, err := focused(All(), cell.Focus)
	if err != nil {
		return nil, fmt.Errorf("cell %s: %w", cell.Name, err)
	}
	wanted := map[string]bool{}
	for _, c := range claimsOf(own) {
		wanted[c.ID] = true
	}
	for i := range suites {
		suites[i].Claims = slices.DeleteFunc(suites[i].Claims, func(c claim.Claim) bool { return !wanted[c.ID] })
		suites[i].Floor = 0
	}
	return suites, nil
}

// Deviations reads the recorded deviations. cells must be the whole matrix: a
// deviation that matches no cell is an error.
func Deviations(fixtures fs.FS, cells []matrix.Cell) ([]claim.Deviation, error) {
	devs, err := collect.Deviations(fixtures)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range cells {
		names = append(names, c.Name)
	}
	if err := claim.CheckDeviations(devs, All(), names); err != nil {
		return nil, fmt.Errorf("check the deviations: %w", err)
	}
	return devs, nil
}

// JudgeAll decides every claim of the focus on every cell, sorted.
func JudgeAll(cells []evidence.CellRun, focus string, devs []claim.Deviation) ([]verdict.Outcome, error) {
	if _, err := focused(All(), focus); err != nil {
		return nil, err
	}
	var outcomes []verdict.Outcome
	for _, ev := range collect.FromCells(cells) {
		suites, err := asked(focus, ev.Cell)
		if err != nil {
			return nil, err
		}
		for _, a := range suites {
			outcomes = append(outcomes, a.Judge(ev, devs)...)
		}
	}
	verdict.Sort(outcomes)
	return outcomes, nil
}

// focused narrows suites to a comma-separated list of suites and claims, in
// capitals or not. The empty list is everything.
func focused(suites []claim.Suite, focus string) ([]claim.Suite, error) {
	names := strings.FieldsFunc(focus, func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) == 0 {
		return suites, nil
	}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[strings.ToUpper(name)] = true
	}
	found := map[string]bool{}
	var kept []claim.Suite
	for _, a := range suites {
		narrowed := a
		narrowed.Claims = nil
		whole := strings.ToUpper(a.Name)
		found[whole], found[a.FloorID()] = true, true
		if wanted[a.FloorID()] {
			wanted[whole] = true // it counts the others
		}
		for _, c := range a.Claims {
			found[c.ID] = true
			if wanted[whole] || wanted[c.ID] {
				narrowed.Claims = append(narrowed.Claims, c)
			}
		}
		if !wanted[whole] {
			narrowed.Floor = 0 // of a part, no number can be asked
		}
		if len(narrowed.Claims) > 0 {
			kept = append(kept, narrowed)
		}
	}
	for _, name := range names {
		if !found[strings.ToUpper(name)] {
			return nil, fmt.Errorf("focus %q: %q is neither a suite nor a claim; the suites, with the prefixes of their claims, are: %s",
				focus, name, known(suites))
		}
	}
	return kept, nil
}

// known lists the suites, each with the prefixes of its claims.
func known(suites []claim.Suite) string {
	var names []string
	for _, a := range suites {
		names = append(names, fmt.Sprintf("%s (%s)", a.Name, strings.Join(prefixes(a), ", ")))
	}
	return strings.Join(names, ", ")
}

// prefixes returns the prefixes of a suite's claims: the suite's own first, then
// those of claims that are older than the rule of one prefix.
func prefixes(a claim.Suite) []string {
	var all []string
	for _, c := range a.Claims {
		prefix, _, _ := strings.Cut(c.ID, "-")
		all = append(all, prefix)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if i := slices.Index(all, a.Prefix); i > 0 {
		all = slices.Insert(slices.Delete(all, i, i+1), 0, a.Prefix)
	}
	return all
}
