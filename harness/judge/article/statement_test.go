package article

import (
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// TestAStatementIsDecidedByItsOwnKernels fails if another architecture, a model or a claim that
// did not run decides what the article says of one.
func TestAStatementIsDecidedByItsOwnKernels(t *testing.T) {
	a := Article{Arch: "sw64", Assertions: []Assertion{
		{ID: "w", RefutedBy: []string{"X-1", "X-2"}, Model: []string{"X-3"}}, {ID: "r", ConfirmedBy: []string{"X-1"}}, {ID: "s", Read: &Reading{}}}}
	cells := []matrix.Cell{{Name: "t", Arch: "alpha", For: "sw64", Tier: matrix.Twin}, {Name: "m", Arch: "amd64", For: "sw64", Tier: matrix.Model}, {Name: "o", Arch: "amd64"}}
	outcome := func(cell, claim string, s verdict.Status) verdict.Outcome {
		return verdict.Outcome{Cell: cell, Claim: claim, Status: s}
	}
	for name, tc := range map[string]struct {
		outcomes []verdict.Outcome
		want     []Answer
	}{
		"nothing":     {nil, []Answer{Not, Not, ByReading}},
		"the twin":    {[]verdict.Outcome{outcome("t", "X-1", verdict.Pass), outcome("t", "X-2", verdict.Pass)}, []Answer{Wrong, Right, ByReading}},
		"half of it":  {[]verdict.Outcome{outcome("t", "X-1", verdict.Pass), outcome("t", "X-2", verdict.Unsupported)}, []Answer{Not, Right, ByReading}},
		"a failure":   {[]verdict.Outcome{outcome("t", "X-1", verdict.Fail), outcome("t", "X-2", verdict.Pass)}, []Answer{Not, Not, ByReading}},
		"another":     {[]verdict.Outcome{outcome("o", "X-1", verdict.Pass), outcome("o", "X-2", verdict.Pass)}, []Answer{Not, Not, ByReading}},
		"models only": {[]verdict.Outcome{outcome("m", "X-1", verdict.Pass), outcome("m", "X-3", verdict.Pass)}, []Answer{Not, Not, ByReading}},
	} {
		for i, s := range a.Statements(cells, tc.outcomes) {
			if got := s.Answer(s.Decides); got != tc.want[i] {
				t.Errorf("%s: %s is %s, want %s", name, s.ID, got, tc.want[i])
			}
		}
	}
	s := a.Statements(cells, []verdict.Outcome{outcome("o", "X-1", verdict.Pass), outcome("m", "X-3", verdict.Pass)})[0]
	if len(s.Elsewhere) != 1 || len(s.Models) != 1 || s.Real {
		t.Errorf("%+v", s)
	}
	real := append(cells, matrix.Cell{Name: "r", Arch: "sw64", For: "sw64", Tier: matrix.Real})
	if s := a.Statements(real, []verdict.Outcome{outcome("r", "X-1", verdict.Pass)})[0]; !s.Real || len(s.Decides) != 1 {
		t.Errorf("%+v", s)
	}
}
