// Package collect turns the evidence of a run into what claims are judged on.
package collect

import (
	"fmt"
	"io/fs"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// FromCells reads the facts of every cell, and says why transcripts are missing.
// Facts that cannot be read are an error of their cell alone.
func FromCells(cells []evidence.CellRun) []claim.Evidence {
	all := make([]claim.Evidence, 0, len(cells))
	for _, c := range cells {
		all = append(all, fromCell(c))
	}
	return all
}

func fromCell(c evidence.CellRun) claim.Evidence {
	ev := claim.Evidence{Cell: c.Cell, Transcripts: c.Transcripts, Lost: loss(c.Failure), LostBy: map[string]claim.Loss{}}
	for probe, r := range c.Runs {
		if r.Failure != nil {
			ev.LostBy[probe] = loss(r.Failure)
		}
	}
	t, ran := c.Transcripts[catalog.Facts]
	if !ran {
		if lost, ok := ev.LostBy[catalog.Facts]; ok && ev.Lost.Why == "" {
			ev.Lost = lost // nothing can be judged without the facts
		}
		return ev
	}
	var sysconf *wire.Transcript
	if s, ran := c.Transcripts[catalog.Sysconf]; ran {
		sysconf = &s
	}
	f, err := facts.Parse(t, sysconf)
	if err != nil {
		why := fmt.Sprintf("read the facts of cell %s: %v", c.Cell.Name, err)
		if ev.Lost.Why != "" {
			why = ev.Lost.Why + "\n" + why
		}
		ev.Lost = claim.Loss{Why: why, Status: verdict.Error}
		return ev
	}
	ev.Facts = &f
	return ev
}

// loss says what becomes of a claim whose transcript a failure prevented.
func loss(f *failure.Failure) claim.Loss {
	switch {
	case f == nil:
		return claim.Loss{}
	case f.Ours():
		return claim.Loss{Why: f.Error(), Status: verdict.Error}
	}
	return claim.Loss{Why: f.Error(), Status: verdict.NotRun}
}

// Deviations reads the recorded deviations of every suite.
func Deviations(data fs.FS) ([]claim.Deviation, error) {
	const file = "deviations.yaml"
	text, err := fs.ReadFile(data, file)
	if err != nil {
		return nil, fmt.Errorf("read the deviations: %w", err)
	}
	return claim.ParseDeviations("fixtures/"+file, text)
}

// Probes puts the probes that describe the target before the claimed ones. Without
// them no claim can be judged. a is the table of the target's architecture.
func Probes(a abi.Table, claimed ...string) []string {
	if a.Lacks(abi.Sysconf) != "" {
		return append([]string{catalog.Facts}, claimed...)
	}
	return append([]string{catalog.Facts, catalog.Sysconf}, claimed...)
}
