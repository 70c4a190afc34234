package suites

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// TestExcusesAreForClaimsThatNeedThem fails if an excuse outlives its claim, or if a claim that
// decides no verdict has none.
func TestExcusesAreForClaimsThatNeedThem(t *testing.T) {
	excused := Excused()
	for _, c := range Claims() {
		if why, said := excused[c.ID]; c.Level != verdict.Must && !said || said && strings.TrimSpace(why) == "" {
			t.Errorf("%s, level %q: excused %v: %q", c.ID, c.Level, said, why)
		}
		delete(excused, c.ID)
	}
	if len(excused) > 0 {
		t.Errorf("excused, and no claims: %v", excused)
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
