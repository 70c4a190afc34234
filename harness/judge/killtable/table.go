// Package killtable shows which claims catch which defects. It proves that each
// claim can fail and that each defect is noticed.
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

// Table sets claims against defects, on some kernels.
type Table struct {
	Claims  []report.Claim
	Models  []defect.Model
	Kernels []Kernel
	// Excused says why no injector can make a MUST claim fail, or why no defect was made for
	// another claim, by claim.
	Excused map[string]string
	// Probes names the probe whose transcript a claim reads, by claim.
	Probes map[string]string
	// Partial reports that only some claims were judged. The others may catch a
	// defect that none of these catches.
	Partial bool
}

// Kernel is what the claims said of one kernel.
type Kernel struct {
	Name    string            // of the cell that booted it
	Control []verdict.Outcome // without a defect
	Trials  []Trial           // in the order of Table.Models
}

// Trial is one defect on one kernel.
type Trial struct {
	Defect   string
	Unserved string // why the defect was not tried; no outcomes then
	Outcomes []verdict.Outcome
}

// unsound lists the MUST claims that do not hold without a defect.
func (k Kernel) unsound() string {
	var b strings.Builder
	for _, o := range k.Control {
		if o.Level == verdict.Must && (o.Status == verdict.Fail || o.Status == verdict.Error) {
			fmt.Fprintf(&b, "\n  %s %s: %s", o.Claim, o.Status, o.Text())
		}
	}
	return b.String()
}

// caught lists the claims of a level that fail under the defect and hold without. A claim
// about a feature that the kernel lacks holds too: a defect may be that the kernel says it
// has the feature.
func (k Kernel) caught(t Trial, level verdict.Level) []string {
	sound := map[string]bool{}
	for _, o := range k.Control {
		sound[o.Claim] = o.Status == verdict.Pass || o.Status == verdict.Unsupported && o.Feature != ""
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

// Killers returns the defects that make each claim fail on the kernel, by claim.
func (k Kernel) Killers() map[string][]string {
	by := map[string][]string{}
	for _, t := range k.Trials {
		for _, level := range []verdict.Level{verdict.Must, verdict.Should, verdict.May} {
			for _, id := range k.caught(t, level) {
				by[id] = append(by[id], t.Defect)
			}
		}
	}
	return by
}

// Problems lists what the table does not prove, sorted:
//   - a control that is not conformant,
//   - a defect that no MUST claim catches,
//   - a claim that no defect makes fail and that is not excused,
//   - a defect that makes claims of another subject fail without an explanation.
func (t Table) Problems() []string {
	var problems []string
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	killed := map[string]bool{}
	for _, k := range t.Kernels {
		if d := verdict.Decide(k.Control); d.Verdict != verdict.Conformant {
			say("%s: the control, without a defect, is %s: %s%s", k.Name, d.Verdict, d.Reason, k.unsound())
		}
		for i, trial := range k.Trials {
			for _, probe := range t.surprised(k, i) {
				say("%s: defect %s makes claims of probe %s fail, which is not about it: mend the model or the claim, or say why in the Echoes of its record in poc/catalog", k.Name, trial.Defect, probe)
			}
			if !t.Partial && trial.Unserved == "" && len(k.caught(trial, verdict.Must)) == 0 {
				say("%s: no MUST claim catches defect %s%s", k.Name, trial.Defect, lost(trial))
			}
		}
		by := k.Killers()
		for _, o := range sorted(k.Control) {
			if o.Status != verdict.Pass {
				continue
			}
			switch why, excused := t.Excused[o.Claim]; {
			case len(by[o.Claim]) > 0:
				killed[o.Claim] = o.Level == verdict.Must
			case !excused:
				say("%s: no defect makes %s claim %s fail", k.Name, o.Level, o.Claim)
			case why == "":
				say("%s claim %s is excused without a reason", o.Level, o.Claim)
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

// surprised lists the probes whose claims fail although the trial's defect is not
// their subject.
func (t Table) surprised(k Kernel, trial int) []string {
	model := t.Models[trial]
	var probes []string
	for _, level := range []verdict.Level{verdict.Must, verdict.Should, verdict.May} {
		for _, id := range k.caught(k.Trials[trial], level) {
			probe := t.Probes[id]
			if program, _ := catalog.Lookup(probe); !program.About(model) && program.Echoes[model.Name] == "" {
				probes = append(probes, probe)
			}
		}
	}
	slices.Sort(probes)
	return slices.Compact(probes)
}

// lost says how many claims the defect left undecided. It is a hint for whoever
// asks why no claim caught the defect.
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
