package assemble

import (
	"fmt"
	"slices"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// Known returns the outcomes of a run with the records of known failures that are about them:
// those of the built-in matrix in list, and those of the run's own matrix file. The status of an
// outcome stays as it is. The day of the run decides whether a record counts, so that evidence is
// judged alike for ever. No record is about an injected defect.
func Known(outcomes []verdict.Outcome, list matrix.KnownFailures, run evidence.Run, cells []evidence.CellRun) []verdict.Outcome {
	if run.Defect != "" {
		return outcomes
	}
	own, err := run.Known()
	if err != nil {
		own = matrix.KnownFailures{} // evidence that was read has none that is wrong
	}
	ran := map[string]evidence.CellRun{}
	for _, c := range cells {
		ran[c.Cell.Name] = c
	}
	outcomes = slices.Clone(outcomes)
	for i := range outcomes {
		o := &outcomes[i]
		c := ran[o.Cell]
		record, place, ok := list.Find(o.Claim, c.Cell)
		if !ok {
			record, place, ok = own.Find(o.Claim, c.Cell)
		}
		if !ok || o.Accepted() || o.Status != verdict.Fail && o.Status != verdict.Pass || o.Status == verdict.Pass && !record.About(runs(c)) {
			continue
		}
		o.Known = verdict.Known{Reason: record.Reason, Link: record.Link, Owner: record.Owner, Until: record.Until, FixedIn: record.FixedIn}
		if o.Status == verdict.Fail {
			o.Known.Over = record.Over(run.Started, runs(c))
		}
		if o.Status == verdict.Pass || o.Known.Over != "" {
			o.Known.Place = place
		}
	}
	return outcomes
}

// runs returns the release of a cell's kernel, uname -r; "" if nobody told it.
func runs(c evidence.CellRun) string {
	switch {
	case c.Guest != nil && c.Guest.Hello.Release != "":
		return c.Guest.Hello.Release
	case c.Kernel != nil:
		return c.Kernel.Release
	}
	return ""
}

// CheckKnown refuses a list of known failures with a claim that nobody makes, or with one
// that is no MUST: its failure changes no verdict.
func CheckKnown(list matrix.KnownFailures, claims []report.Claim) error {
	level := map[string]verdict.Level{}
	for _, c := range claims {
		level[c.ID] = c.Level
	}
	for _, id := range list.Claims() {
		switch l, made := level[id]; {
		case !made:
			return fmt.Errorf("the known failures name %s, and there is no such claim; docs/claims.md lists the claims", id)
		case l != verdict.Must:
			return fmt.Errorf("the known failures name %s, which is a %s: its failure changes no verdict; list MUSTs alone", id, l)
		}
	}
	return nil
}
