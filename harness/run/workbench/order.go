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
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run"
)

// Order says what a run is to do.
type Order struct {
	Subjects []run.Bound
	Probes   map[string][]string // to run, by the name of the cell
	Focus    string              // claims and suites that the run is about; "" for all
	Out      string              // the folder below which a new one is made for the evidence
	Version  string              // of the suites
	// Flags are those that asked for the run, by name. Evidence keeps them for whoever goes on
	// with it.
	Flags map[string][]string
	// Shard says which part of a larger run this is; nil for a whole one.
	Shard *evidence.Shard
	// Resume is the interrupted run to go on with, in its own folder; nil for a new run.
	Resume *evidence.Interrupted
}

// Run runs the probes of every subject. It writes the evidence as it becomes known.
func (b *Bench) Run(ctx context.Context, o Order) (folder evidence.Folder, r evidence.Run, results []evidence.CellRun, err error) {
	r = evidence.Run{Version: o.Version, Revision: b.Revision(ctx), Focus: o.Focus, Defect: b.asked.Defect, Product: b.asked.Product, Shard: o.Shard, Host: b.Host, Started: time.Now()}
	for _, s := range o.Subjects {
		r.Cells = append(r.Cells, s.Cell)
	}
	engine := b.Engine()
	if o.Resume != nil {
		folder, r.Started = o.Resume.Folder, o.Resume.Run.Started
		err = b.resume(ctx, engine, r, o)
	} else if folder, err = evidence.Begin(o.Out, r.Started, o.Flags); err == nil {
		defer func() { err = errors.Join(err, folder.Close()) }()
	}
	if err != nil {
		return folder, r, nil, err
	}
	// Written before the run, so that the evidence of a killed run says what was asked.
	if err := folder.WriteRun(r); err != nil {
		return folder, r, nil, err
	}
	results, err = engine.Cells(ctx, o.Subjects, o.Probes, folder)
	if err != nil {
		return folder, r, results, err
	}
	r.Finished, r.Warnings = time.Now(), b.warnings.list()
	if o.Resume != nil {
		r.Warnings = slices.Compact(slices.Sorted(slices.Values(slices.Concat(r.Warnings, o.Resume.Run.Warnings))))
	}
	if r.CPUSeconds, r.ResidentBytes, err = ownUsage(); err != nil {
		return folder, r, results, err
	}
	return folder, r, results, folder.WriteRun(r)
}

// resume makes the engine go on with an interrupted run. It refuses to if r, which is what
// would be run now, is another one.
func (b *Bench) resume(ctx context.Context, engine *run.Engine, r evidence.Run, o Order) error {
	folder := o.Resume.Folder.Path()
	if err := continues(o.Resume.Run, r); err != nil {
		return fmt.Errorf("%s: %w", folder, err)
	}
	engine.Earlier = map[string]evidence.CellRun{}
	for _, c := range o.Resume.Cells {
		engine.Earlier[c.Cell.Name] = c
	}
	b.Sink(progress.Event{Stage: progress.Resolve, What: "what the interrupted run tested"})
	err := engine.Same(ctx, o.Subjects)
	b.Sink(progress.Event{Stage: progress.Resolve, What: "what the interrupted run tested", End: true, Err: err})
	if err != nil {
		return fmt.Errorf("%s: %w", folder, err)
	}
	if err := o.Resume.Prepare(); err != nil {
		return err
	}
	for _, c := range o.Resume.Cells {
		engine.Earlier[c.Cell.Name] = c
	}
	return nil
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
