package workbench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run"
)

// Order says what a run is to do.
type Order struct {
	Subjects []run.Bound
	Probes   map[string][]string // to run, by the name of the cell; for Run alone
	// Later are the cells that will be bound when the subjects before them are released, as far
	// as they are known. Such a run cannot be gone on with.
	Later []matrix.Cell
	// Matrix is what the evidence keeps of a matrix file; nil for none.
	Matrix  *evidence.Matrix
	Focus   string // claims and suites that the run is about; "" for all
	Out     string // the folder below which a new one is made for the evidence
	Version string // of the suites
	// Flags are those that asked for the run, by name. Evidence keeps them for whoever goes on
	// with it.
	Flags map[string][]string
	// Asked are the flags that a report repeats.
	Asked []evidence.Flag
	// Shard says which part of a larger run this is; nil for a whole one.
	Shard *evidence.Shard
	// Resume is the interrupted run to go on with, in its own folder; nil for a new run.
	Resume *evidence.Interrupted
}

// Run runs the probes of every subject. It writes the evidence as it becomes known.
func (b *Bench) Run(ctx context.Context, o Order) (evidence.Folder, evidence.Run, []evidence.CellRun, error) {
	s, err := b.Begin(ctx, o)
	if err == nil {
		err = s.Add(ctx, o.Subjects, o.Probes)
	}
	err = s.End(err)
	return s.Folder, s.Run, s.Results, err
}

// Session is a run whose subjects come one after another: a whole system that is booted has its
// memory as long as it is bound, so that not all of them can be bound at once.
type Session struct {
	Folder  evidence.Folder
	Run     evidence.Run
	Results []evidence.CellRun // of the subjects so far

	bench  *Bench
	engine *run.Engine
	order  Order
	opened bool // the folder is the session's to close
}

// Begin makes the folder of a run, or opens that of the interrupted one. End must be called
// whatever the error is. The session is never nil.
func (b *Bench) Begin(ctx context.Context, o Order) (*Session, error) {
	s := &Session{bench: b, engine: b.Engine(), order: o, Run: evidence.Run{Version: o.Version, Revision: b.Revision(ctx), Focus: o.Focus,
		Defect: b.asked.Defect, Product: b.asked.Product, Matrix: o.Matrix, Asked: o.Asked, Shard: o.Shard, Host: b.Host, Started: time.Now()}}
	for _, bound := range o.Subjects {
		s.Run.Cells = append(s.Run.Cells, bound.Cell)
	}
	s.Run.Cells = append(s.Run.Cells, o.Later...)
	var err error
	if o.Resume != nil {
		s.Folder, s.Run.Started = o.Resume.Folder, o.Resume.Run.Started
		err = s.resume(ctx)
	} else {
		s.Folder, err = evidence.Begin(o.Out, s.Run.Started, o.Flags)
		s.opened = err == nil
	}
	if err != nil {
		return s, err
	}
	// Written before the run, so that the evidence of a killed run says what was asked.
	return s, s.Folder.WriteRun(s.Run)
}

// Add runs the probes of subjects, which probes holds by the name of a cell. A cell takes the
// place of the planned one of its name.
func (s *Session) Add(ctx context.Context, subjects []run.Bound, probes map[string][]string) error {
	if len(s.order.Later) > 0 {
		for _, b := range subjects {
			i := slices.IndexFunc(s.Run.Cells, func(c matrix.Cell) bool { return c.Name == b.Cell.Name })
			if i < 0 {
				return fmt.Errorf("cell %s was not planned; a subject that is bound later must keep the name of its plan", b.Cell.Name)
			}
			s.Run.Cells[i] = b.Cell
		}
		if err := s.Folder.WriteRun(s.Run); err != nil {
			return err
		}
	}
	results, err := s.engine.Cells(ctx, subjects, probes, s.Folder)
	s.Results = append(s.Results, results...)
	return err
}

// End writes how the run ended, unless an error, which it returns, ended it.
func (s *Session) End(ended error) error {
	if ended == nil {
		ended = s.finish()
	}
	if s.opened {
		ended = errors.Join(ended, s.Folder.Close())
	}
	return ended
}

func (s *Session) finish() (err error) {
	s.Run.Finished, s.Run.Warnings = time.Now(), s.bench.warnings.list()
	if r := s.order.Resume; r != nil {
		s.Run.Warnings = slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.Run.Warnings, r.Run.Warnings))))
	}
	if s.Run.CPUSeconds, s.Run.ResidentBytes, err = ownUsage(); err != nil {
		return err
	}
	return s.Folder.WriteRun(s.Run)
}

// resume makes the engine go on with an interrupted run. It refuses to if what would be run now
// is another one.
func (s *Session) resume(ctx context.Context) error {
	o, folder := s.order, s.Folder.Path()
	if len(o.Later) > 0 {
		return fmt.Errorf("%s: the run has systems that run already or are booted whole, and those cannot be gone on with; start a new run", folder)
	}
	if err := continues(o.Resume.Run, s.Run); err != nil {
		return fmt.Errorf("%s: %w", folder, err)
	}
	s.earlier()
	s.bench.Sink(progress.Event{Stage: progress.Resolve, What: "what the interrupted run tested"})
	err := s.engine.Same(ctx, o.Subjects)
	s.bench.Sink(progress.Event{Stage: progress.Resolve, What: "what the interrupted run tested", End: true, Err: err})
	if err != nil {
		return fmt.Errorf("%s: %w", folder, err)
	}
	if err := o.Resume.Prepare(); err != nil {
		return err
	}
	s.earlier()
	return nil
}

// earlier tells the engine what the interrupted run has already.
func (s *Session) earlier() {
	s.engine.Earlier = map[string]evidence.CellRun{}
	for _, c := range s.order.Resume.Cells {
		s.engine.Earlier[c.Cell.Name] = c
	}
}

// continues returns an error if is, a run that is about to begin, is not the rest of was.
func continues(was, is evidence.Run) error {
	for _, p := range []struct{ what, was, is string }{
		{"version of the suites", was.Version, is.Version},
		{"revision of mapstack", was.Revision, is.Revision},
		{"focus", was.Focus, is.Focus},
		{"defect", was.Defect, is.Defect},
		{"product", was.Product.String(), is.Product.String()},
		{"shard", shardText(was.Shard), shardText(is.Shard)},
	} {
		if p.was != p.is {
			return fmt.Errorf("the run was begun with the %s %q, and this is %q; go on with what it was begun with, or start a new run", p.what, p.was, p.is)
		}
	}
	if len(was.Cells) != len(is.Cells) {
		return fmt.Errorf("the run is about %d cells, and the flags now select %d; give the flags that it was begun with, or start a new run", len(was.Cells), len(is.Cells))
	}
	for i, c := range was.Cells {
		// What was read from JSON may have an empty list where the other has none.
		before, err := json.Marshal(c)
		if err != nil {
			return err
		}
		now, err := json.Marshal(is.Cells[i])
		if err != nil {
			return err
		}
		if !bytes.Equal(before, now) {
			return fmt.Errorf("the run is about cell %s, and cell %s is not the same; start a new run", c.Name, is.Cells[i].Name)
		}
	}
	return nil
}

func shardText(s *evidence.Shard) string {
	if s == nil {
		return ""
	}
	return s.String()
}
