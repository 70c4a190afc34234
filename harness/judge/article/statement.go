package article

import (
	"slices"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// Statement is an assertion of the article with what a run says of it.
type Statement struct {
	Assertion
	// Decides are the outcomes of the claims that refute or confirm it, on the kernels of the
	// architecture and its twin, and Elsewhere those on all others. Models are the outcomes
	// that show what programs would do if it were right.
	Decides, Elsewhere, Models []verdict.Outcome
	// Real reports that a kernel of the architecture itself decided one of Decides, and not
	// its twin alone. Twin reports that the twin decided one.
	Real, Twin bool
}

// Answer says what a run makes of a statement.
type Answer string

const (
	Wrong     Answer = "wrong"
	Right     Answer = "right"
	Not       Answer = "not decided" // a claim that decides it failed, or did not run
	ByReading Answer = "by reading"  // a source was read, and no kernel can decide
)

// Statements returns every assertion with the outcomes of a run that are about it, by cell.
func (a Article) Statements(cells []matrix.Cell, outcomes []verdict.Outcome) []Statement {
	all := make([]Statement, 0, len(a.Assertions))
	for _, s := range a.Assertions {
		one := Statement{Assertion: s}
		for _, o := range outcomes {
			i := slices.IndexFunc(cells, func(c matrix.Cell) bool { return c.Name == o.Cell })
			if i < 0 {
				continue
			}
			decides := slices.Contains(s.RefutedBy, o.Claim) || slices.Contains(s.ConfirmedBy, o.Claim)
			switch c := cells[i]; {
			case c.For == a.Arch && c.Tier == matrix.Model:
				if slices.Contains(s.Model, o.Claim) {
					one.Models = append(one.Models, o)
				}
			case !decides:
			case c.Arch == a.Arch || c.For == a.Arch:
				one.Decides = append(one.Decides, o)
				decided := o.Status == verdict.Pass || o.Status == verdict.Fail
				one.Real = one.Real || decided && c.Arch == a.Arch
				one.Twin = one.Twin || decided && c.Arch != a.Arch
			default:
				one.Elsewhere = append(one.Elsewhere, o)
			}
		}
		all = append(all, one)
	}
	return all
}

// Answer returns what outcomes of the statement's claims make of it. Every claim must hold on
// every cell where it applies, and each must be decided on one.
func (s Statement) Answer(outcomes []verdict.Outcome) Answer {
	if s.Read != nil {
		return ByReading
	}
	decided := map[string]bool{}
	for _, o := range outcomes {
		switch o.Status {
		case verdict.Pass:
			decided[o.Claim] = true
		case verdict.Unsupported:
		default:
			return Not
		}
	}
	for _, id := range slices.Concat(s.RefutedBy, s.ConfirmedBy) {
		if !decided[id] {
			return Not
		}
	}
	if len(s.ConfirmedBy) > 0 {
		return Right
	}
	return Wrong
}
