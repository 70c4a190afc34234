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
	return devs, CheckDeviations(devs, cells)
}

// CheckDeviations refuses deviations of a matrix that can never apply. cells must be all of it.
func CheckDeviations(devs []matrix.Deviation, cells []matrix.Cell) error {
	var names []string
	for _, c := range cells {
		names = append(names, c.Name)
	}
	if err := claim.CheckDeviations(devs, All(), names); err != nil {
		return fmt.Errorf("check the deviations: %w", err)
	}
	return nil
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
// capitals or not, and of patterns of their names. A word after an exclamation mark
// is left out. A list that leaves out alone begins with everything.
func focused(suites []claim.Suite, focus string) ([]claim.Suite, error) {
	words := matrix.Names(focus)
	if len(words) == 0 {
		return suites, nil
	}
	l := focusList{found: map[string]bool{}}
	for _, word := range words {
		if name, out := strings.CutPrefix(word, leftOut); out {
			l.out = append(l.out, strings.ToUpper(name))
		} else {
			l.in = append(l.in, strings.ToUpper(word))
		}
	}
	var kept []claim.Suite
	for _, a := range suites {
		if narrowed := l.narrow(a); len(narrowed.Claims) > 0 {
			kept = append(kept, narrowed)
		}
	}
	for _, word := range words {
		if !l.found[strings.ToUpper(strings.TrimPrefix(word, leftOut))] {
			return nil, fmt.Errorf("focus %q: %q is neither a suite nor a claim; the suites, with the prefixes of their claims, are: %s",
				focus, strings.TrimPrefix(word, leftOut), known(suites))
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("focus %q leaves out every claim that it names; leave out less", focus)
	}
	return kept, nil
}

// leftOut stands in a focus before what is left out.
const leftOut = "!"

// Without returns the focus that leaves out what a list names, besides what the focus does.
func Without(focus string, list []string) string {
	words := matrix.Names(focus)
	for _, name := range list {
		words = append(words, leftOut+name)
	}
	return strings.Join(words, ",")
}

// Known reports whether a word names suites or claims, or is a pattern of their names.
func Known(word string) bool {
	_, err := focused(All(), word)
	return err == nil
}

// focusList is a focus, in capitals.
type focusList struct {
	in, out []string
	found   map[string]bool // words that name something
}

// names reports whether a list has a name, and marks the words that have it.
func (l focusList) names(list []string, name string) (has bool) {
	for _, word := range list {
		if matrix.Matches(word, strings.ToUpper(name)) {
			l.found[word], has = true, true
		}
	}
	return has
}

// counts reports whether a list has the claim that counts the others of a suite. No pattern
// means it, because it would bring all of them along.
func (l focusList) counts(list []string, a claim.Suite) bool {
	id := a.FloorID()
	l.found[id] = true
	return slices.Contains(list, id)
}

// narrow returns a suite with the claims of the list.
func (l focusList) narrow(a claim.Suite) claim.Suite {
	floor, suite := l.counts(l.in, a), l.names(l.in, a.Name)
	whole := floor || suite || len(l.in) == 0 // the floor counts the others
	unfloored, none := l.counts(l.out, a), l.names(l.out, a.Name)
	narrowed := a
	narrowed.Claims = nil
	for _, c := range a.Claims {
		in, out := l.names(l.in, c.ID), l.names(l.out, c.ID)
		if (whole || in) && !out && !none {
			narrowed.Claims = append(narrowed.Claims, c)
		}
	}
	if !whole || unfloored || len(narrowed.Claims) < len(a.Claims) {
		narrowed.Floor = 0 // of a part, no number can be asked
	}
	return narrowed
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
