// Package collect turns what a run left behind into what claims are judged on,
// and makes a run when there is none.
package collect

import (
	"fmt"

	"github.com/mapstack/conformance/harness/evidence"
	"github.com/mapstack/conformance/harness/facts"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// SysconfProbe gives facts the view of sysconf(3).
const SysconfProbe = "sysconf"

// FromCells reads the facts of every cell and says why what is missing is
// missing. Unreadable facts are an error of that cell alone.
func FromCells(cells []evidence.Cell) []claim.Evidence {
	all := make([]claim.Evidence, 0, len(cells))
	for _, c := range cells {
		all = append(all, fromCell(c))
	}
	return all
}

func fromCell(c evidence.Cell) claim.Evidence {
	ev := claim.Evidence{Cell: c.Cell, Transcripts: c.Transcripts}
	if c.Failure != nil {
		ev.Failure, ev.FailureStatus = c.Failure.Error(), verdict.NotRun
		if c.Failure.Blame() {
			ev.FailureStatus = verdict.Error
		}
	}
	t, ran := c.Transcripts[run.FactsProbe]
	if !ran {
		return ev
	}
	var sysconf *wire.Transcript
	if s, ran := c.Transcripts[SysconfProbe]; ran {
		sysconf = &s
	}
	f, err := facts.Parse(t, sysconf)
	if err != nil {
		ev.FailureStatus = verdict.Error
		if ev.Failure != "" {
			ev.Failure += "\n"
		}
		ev.Failure += fmt.Sprintf("read the facts of cell %s: %v", c.Cell.Name, err)
		return ev
	}
	ev.Facts = &f
	return ev
}
