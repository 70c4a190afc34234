package suites

import (
	"fmt"

	"github.com/mapstack/conformance/harness/evidence"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/suites/internal/collect"
	"github.com/mapstack/conformance/suites/internal/history"
)

// Target is what decides which defect models mean something on a cell's
// kernel, from what the kernel says of itself.
func Target(cell evidence.Cell) (defect.Target, error) {
	t := defect.Target{GOARCH: cell.Cell.Arch}
	ev := collect.FromCells([]evidence.Cell{cell})[0]
	if ev.Facts == nil {
		return t, fmt.Errorf("cell %s said nothing of itself: %s", cell.Cell.Name, ev.Failure)
	}
	t.MarksStacks = history.StackNoHugepage(*ev.Facts)
	return t, nil
}
