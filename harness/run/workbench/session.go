package workbench

import (
	"context"
	"slices"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/run"
)

// Session is a run whose subjects come one after another: a whole system that is booted has its
// memory as long as it is bound, so that not all of them can be bound at once.
type Session struct {
	Folder  evidence.Folder
	Run     evidence.Run
	Results []evidence.CellRun // of the subjects so far

	bench  *Bench
	engine *run.Engine
}

// Begin makes the folder of a run below out. planned are all of its cells, as far as they are
// known. from is the matrix file that cells are from; nil for none.
func (b *Bench) Begin(ctx context.Context, planned []matrix.Cell, from *evidence.Matrix, focus, out string) (*Session, error) {
	s := &Session{bench: b, engine: b.Engine(),
		Run: evidence.Run{Revision: b.Revision(ctx), Focus: focus, Defect: b.asked.Defect, Product: b.asked.Product, Host: b.Host, Cells: slices.Clone(planned), Matrix: from, Started: time.Now()}}
	var err error
	if s.Folder, err = evidence.Create(out, s.Run.Started); err != nil {
		return s, err
	}
	// Written before the run, so that the evidence of a killed run says what was asked.
	return s, s.Folder.WriteRun(s.Run)
}

// Add runs the probes of subjects, which probes holds by the name of a cell. A cell takes the
// place of the planned one of its name.
func (s *Session) Add(ctx context.Context, subjects []run.Bound, probes map[string][]string) error {
	for _, b := range subjects {
		for i := range s.Run.Cells {
			if s.Run.Cells[i].Name == b.Cell.Name {
				s.Run.Cells[i] = b.Cell
			}
		}
	}
	if err := s.Folder.WriteRun(s.Run); err != nil {
		return err
	}
	results, err := s.engine.Cells(ctx, subjects, probes, s.Folder)
	s.Results = append(s.Results, results...)
	return err
}

// End writes how the run ended.
func (s *Session) End() (err error) {
	s.Run.Finished, s.Run.Warnings = time.Now(), s.bench.warnings.list()
	if s.Run.CPUSeconds, s.Run.ResidentBytes, err = ownUsage(); err != nil {
		return err
	}
	return s.Folder.WriteRun(s.Run)
}
