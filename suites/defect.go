package suites

import (
	"fmt"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/suites/internal/collect"
	"github.com/mapstack/conformance/suites/internal/history"
	"github.com/mapstack/conformance/suites/stage0"
)

// Target is what decides which defect models mean something on a cell's
// kernel, from what the kernel says of itself.
func Target(cell evidence.CellRun) (defect.Target, error) {
	t := defect.Target{GOARCH: cell.Cell.Arch}
	ev := collect.FromCells([]evidence.CellRun{cell})[0]
	if ev.Facts == nil {
		return t, fmt.Errorf("cell %s said nothing of itself: %s", cell.Cell.Name, ev.Lost.Why)
	}
	t.MarksStacks = history.StackNoHugepage(*ev.Facts)
	return t, nil
}

// Excused is the MUST claims that no defect model makes fail, each with the
// reason why none can.
func Excused() map[string]string {
	const (
		traced  = "the probe traces the Go runtime's calls itself, and a thread has one tracer; changed answers turn it red in suites/goruntime"
		injects = "the probe injects defects itself, and a thread has one tracer; changed answers turn it red in suites/goruntime"
		runtime = "poc/inject leaves the calls of the Go runtime alone; changed answers turn it red in suites/goruntime"
	)
	excused := map[string]string{"GR-101": traced, "GR-102": traced, "GR-012": runtime, "GR-014": runtime,
		"GR-110": injects, "IN-001": injects}
	for _, c := range stage0.Suite().Claims {
		excused[c.ID] = "stage 0 is PID 1 before any injector can be; changed answers turn it red in suites/stage0"
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
