package suites

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// TestExcusesAreForMustClaims fails if an excuse outlives its claim, or if one
// is given for a claim that needs none.
func TestExcusesAreForMustClaims(t *testing.T) {
	levels := map[string]verdict.Level{}
	for _, c := range Claims() {
		levels[c.ID] = c.Level
	}
	for id, why := range Excused() {
		if levels[id] != verdict.Must || strings.TrimSpace(why) == "" {
			t.Errorf("%s, level %q, is excused: %q", id, levels[id], why)
		}
	}
}

// TestATargetThatSaidNothingIsNoTarget fails if a cell that reported nothing
// decides which defects mean something.
func TestATargetThatSaidNothingIsNoTarget(t *testing.T) {
	cell := evidence.CellRun{Cell: matrix.Cell{Name: "c", Arch: "amd64"}}
	if target, err := Target(cell); err == nil {
		t.Errorf("%+v", target)
	}
}
