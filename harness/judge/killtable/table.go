// Package killtable says which claims catch which defects: the proof that each
// claim can fail and that each defect is noticed. Pure.
package killtable

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/defect"
)

// Table is claims against defects, on some cells.
type Table struct {
	Claims []report.Claim
	Models []defect.Model
	Cells  []Kernel
	// Excused is why no injector can make a claim fail, by claim.
	Excused map[string]string
	// Probes is the probe that each claim reads.
	Probes map[string]string
	// Partial: only some claims were judged, so that a defect which none of
	// them catches may be for the others to catch.
	Partial bool
}

// Kernel is what one kernel gave.
type Kernel struct {
	Name    string
	Control []verdict.Outcome // without a defect
	Trials  []Trial           // in the order of Table.Models
}

// Trial is one defect on one cell.
type Trial struct {
	Defect   string
	Unserved string // why the defect was not tried; no outcomes then
	Outcomes []verdict.Outcome
}

// unsound tells of the MUST claims that do not hold without a defect.
func (c Kernel) unsound() string {
	var b strings.Builder
	for _, o := range c.Control {
		if o.Level == verdict.Must && (o.Status == verdict.Fail || o.Status == verdict.Error) {
			fmt.Fprintf(&b, "\n  %s %s: %s", o.Claim, o.Status, o.Reason)
		}
	}
	return b.String()
}

// caught lists the claims of a level that fail under the defect and pass without.
func (c Kernel) caught(t Trial, level verdict.Level) []string {
	sound := map[string]bool{}
	for _, o := range c.Control {
		sound[o.Claim] = o.Status == verdict.Pass
	}
	var ids []string
	for _, o := range t.Outcomes {
		if o.Level == level && o.Status == verdict.Fail && sound[o.Claim] {
			ids = append(ids, o.Claim)
		}
	}
	slices.Sort(ids)
	return ids
}

// Killers lists, for each claim, the defects that make it fail on the cell.
func (c Kernel) Killers() map[string][]string {
	by := map[string][]string{}
	for _, t := range c.Trials {
		for _, level := range []verdict.Level{verdict.Must, verdict.Should, verdict.May} {
			for _, id := range c.caught(t, level) {
				by[id] = append(by[id], t.Defect)
			}
		}
	}
	return by
}

// Problems lists what the table does not prove, "" for none: a control that is
// not clean, a defect that no MUST claim catches, a MUST claim that no defect
// makes fail and nobody excused, and a defect that makes claims of a probe fail
// that should not notice it, without an explanation.
func (t Table) Problems() []string {
	var problems []string
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	killed := map[string]bool{}
	for _, c := range t.Cells {
		if d := verdict.Decide(c.Control); d.Verdict != verdict.Conformant {
			say("%s: the control, without a defect, is %s: %s%s", c.Name, d.Verdict, d.Reason, c.unsound())
		}
		for i, trial := range c.Trials {
			for _, probe := range t.surprised(c, i) {
				say("%s: defect %s makes claims of probe %s fail, which is not about it: mend the model or the claim, or say why in the Echoes of its record in poc/catalog", c.Name, trial.Defect, probe)
			}
			if !t.Partial && trial.Unserved == "" && len(c.caught(trial, verdict.Must)) == 0 {
				say("%s: no MUST claim catches defect %s%s", c.Name, trial.Defect, lost(trial))
			}
		}
		by := c.Killers()
		for _, o := range sorted(c.Control) {
			if o.Level != verdict.Must || o.Status != verdict.Pass {
				continue
			}
			switch why, excused := t.Excused[o.Claim]; {
			case len(by[o.Claim]) > 0:
				killed[o.Claim] = true
			case !excused:
				say("%s: no defect makes MUST claim %s fail", c.Name, o.Claim)
			case why == "":
				say("MUST claim %s is excused without a reason", o.Claim)
			}
		}
	}
	for id := range t.Excused {
		if killed[id] {
			say("MUST claim %s is excused and yet a defect makes it fail: drop the excuse", id)
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// surprised lists the probes that should not notice a trial's defect and do.
func (t Table) surprised(c Kernel, trial int) []string {
	model := t.Models[trial]
	var probes []string
	for _, level := range []verdict.Level{verdict.Must, verdict.Should, verdict.May} {
		for _, id := range c.caught(c.Trials[trial], level) {
			probe := t.Probes[id]
			if program, _ := catalog.Lookup(probe); !program.About(model) && program.Echoes[model.Name] == "" {
				probes = append(probes, probe)
			}
		}
	}
	slices.Sort(probes)
	return slices.Compact(probes)
}

// lost says how many claims could not be decided under a defect, as a hint.
func lost(t Trial) string {
	n, why := 0, ""
	for _, o := range t.Outcomes {
		if o.Status == verdict.Error || o.Status == verdict.NotRun {
			n++
			why = o.Reason
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d claims could not be decided, the last because: %s", n, why)
}

func sorted(outcomes []verdict.Outcome) []verdict.Outcome {
	list := slices.Clone(outcomes)
	slices.SortFunc(list, func(a, b verdict.Outcome) int { return cmp.Compare(a.Claim, b.Claim) })
	return list
}
