// Package recorded gives the tests of claims transcripts of real probe runs, recorded
// or made on this machine, and changed copies of them.
package recorded

import (
	"slices"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// Evidence returns the evidence of a finished cell with these transcripts alone.
func Evidence(f facts.Facts, transcripts ...wire.Transcript) claim.Evidence {
	ev := claim.Evidence{
		Cell:        matrix.Cell{Name: "recorded", Arch: f.Arch, PageSize: f.PageSize},
		Facts:       &f,
		Transcripts: map[string]wire.Transcript{},
	}
	for _, tr := range transcripts {
		if len(tr.Args) > 0 { // the settings of the cell's system, which is then judged
			ev.Cell.Policy = []matrix.Setting{{Of: matrix.OfSysctl}}
		}
		ev.Transcripts[tr.Probe] = tr
	}
	return ev
}

// Of narrows a suite to the claims that read one probe.
func Of(suite claim.Suite, probe string) claim.Suite {
	suite.Claims = slices.DeleteFunc(suite.Claims, func(c claim.Claim) bool { return c.Probe != probe })
	return suite
}

// Judge returns the outcome of every claim of a suite, by ID.
func Judge(suite claim.Suite, f facts.Facts, tr wire.Transcript) map[string]verdict.Outcome {
	suite.Floor = 0 // one probe decides a part
	outcomes := map[string]verdict.Outcome{}
	for _, o := range suite.Judge(Evidence(f, tr), nil) {
		outcomes[o.Claim] = Noted(o)
	}
	return outcomes
}

// Red returns the claims that fail, sorted.
func Red(outcomes map[string]verdict.Outcome) (ids []string) {
	for id, o := range outcomes {
		if o.Status == verdict.Fail {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
