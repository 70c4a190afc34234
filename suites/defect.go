package suites

import (
	"cmp"
	"fmt"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/suites/internal/collect"
	"github.com/mapstack/conformance/suites/internal/history"
)

// Target returns what decides which defect models mean something on a cell's
// kernel, as the kernel itself reported it.
func Target(cell evidence.CellRun) (defect.Target, error) {
	t := defect.Target{GOARCH: cell.Cell.Arch}
	ev := collect.FromCells([]evidence.CellRun{cell})[0]
	if ev.Facts == nil {
		return t, fmt.Errorf("cell %s said nothing of itself: %s", cell.Cell.Name, ev.Lost.Why)
	}
	t.MarksStacks = history.StackNoHugepage(*ev.Facts)
	return t, nil
}

// Excused returns the MUST claims that no defect model makes fail, each with the
// reason why none can, and of every other claim the reason why no model was made for it.
// One of those may be caught by a model that was made for a MUST.
func Excused() map[string]string {
	excused := map[string]string{}
	for _, a := range All() {
		why := cmp.Or(a.Unmodelled, "it decides no verdict, so no model was made for it")
		for _, c := range a.Claims {
			switch {
			case c.Level != verdict.Must:
				// Each suite has a test which fails if a claim of it cannot fail.
				excused[c.ID] = why + "; changed answers turn it red in suites/" + a.Name
			case c.Uninjectable != "":
				excused[c.ID] = c.Uninjectable
			}
		}
		if a.Floor > 0 {
			excused[a.FloorID()] = "it counts what was decided, and a defect is decided too"
		}
	}
	return excused
}

// ClaimsFor returns the claims of a focus as reports list them.
func ClaimsFor(focus string) ([]report.Claim, error) {
	suites, err := focused(All(), focus)
	if err != nil {
		return nil, err
	}
	return claimsOf(suites), nil
}

// ProbeOf returns the probe whose transcript each claim reads, by claim.
func ProbeOf() map[string]string {
	probes := map[string]string{}
	for _, a := range All() {
		for _, c := range a.Claims {
			probes[c.ID] = c.Probe
		}
	}
	return probes
}
