// Package trials runs the probes of a subject below every defect model. The kill table is
// made of the results: it shows which claims catch which defects.
package trials

import (
	"context"
	"fmt"
	"io"
	"maps"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/killtable"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/wire"
)

// Judge decides the claims that the trials are about.
type Judge struct {
	// Decide judges the evidence of one cell.
	Decide func(evidence.CellRun) ([]verdict.Outcome, error)
	// Target returns the properties of the cell's kernel that decide which models mean
	// something on it.
	Target func(evidence.CellRun) (defect.Target, error)
}

// Trials says what is tried on a subject.
type Trials struct {
	Probes []string
	Models []defect.Model
	// All also tries each defect on the probes that should not notice it.
	All bool
	// Again runs everything again. Without it, results are cached per guest and defect.
	Again bool
	Judge Judge
	Log   io.Writer // a line for each defect

	opened  *run.Opened
	control evidence.CellRun // without a defect
	target  defect.Target
	tried   atomic.Int32
}

// Models returns the models that at least one of the probes could notice.
func Models(probes []string) []defect.Model {
	var models []defect.Model
	for _, m := range defect.Models() {
		for _, p := range probes {
			if program, _ := catalog.Lookup(p); program.Direct == "" && program.About(m) {
				models = append(models, m)
				break
			}
		}
	}
	return models
}

// Run runs the probes of a subject without a defect, and then below each model.
func (t *Trials) Run(ctx context.Context, engine *run.Engine, subject run.Bound) (killtable.Kernel, error) {
	result := killtable.Kernel{Name: subject.Cell.Name, Trials: make([]killtable.Trial, len(t.Models))}
	var err error
	if t.opened, err = engine.Open(ctx, subject, io.Discard); err != nil {
		return result, err
	}
	t.control = evidence.CellRun{Cell: subject.Cell, Transcripts: map[string]wire.Transcript{}, Runs: map[string]evidence.ProbeRun{}}
	for _, probe := range t.Probes {
		if err := t.observe(ctx, t.control, probe, ""); err != nil {
			return result, err
		}
	}
	if t.target, err = t.Judge.Target(t.control); err != nil {
		return result, err
	}
	if result.Control, err = t.Judge.Decide(t.control); err != nil {
		return result, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(engine.Host.Cores)
	for i, m := range t.Models {
		group.Go(func() (err error) {
			result.Trials[i], err = t.try(ctx, m)
			return err
		})
	}
	return result, group.Wait()
}

// observe runs a probe below a defect and adds what it saw to cell.
func (t *Trials) observe(ctx context.Context, cell evidence.CellRun, probe, defect string) error {
	observe := t.opened.Recall
	if t.Again {
		observe = func(ctx context.Context, probe, defect string) (wire.Transcript, evidence.ProbeRun, error) {
			return t.opened.Observe(ctx, io.Discard, probe, defect)
		}
	}
	transcript, ran, err := observe(ctx, probe, defect)
	if err != nil {
		return err
	}
	if cell.Runs[probe] = ran; ran.Failure == nil {
		cell.Transcripts[probe] = transcript
	}
	return nil
}

// try runs the probes below a defect. If the guest of a probe ends, its transcript is missing
// and its run says why.
func (t *Trials) try(ctx context.Context, m defect.Model) (killtable.Trial, error) {
	trial := killtable.Trial{Defect: m.Name, Unserved: m.Why(t.target)}
	if trial.Unserved != "" {
		return trial, nil
	}
	begun := time.Now()
	cell := evidence.CellRun{Cell: t.control.Cell, Transcripts: maps.Clone(t.control.Transcripts), Runs: map[string]evidence.ProbeRun{}}
	for _, probe := range t.Probes {
		if program, _ := catalog.Lookup(probe); program.Direct != "" || !t.All && !program.About(m) {
			continue
		}
		delete(cell.Transcripts, probe)
		if err := t.observe(ctx, cell, probe, m.Name); err != nil {
			return trial, err
		}
	}
	var err error
	if trial.Outcomes, err = t.Judge.Decide(cell); err != nil {
		return trial, err
	}
	failed := 0
	for _, o := range trial.Outcomes {
		if o.Status == verdict.Fail {
			failed++
		}
	}
	fmt.Fprintf(t.Log, "%s %d/%d %s: %d claims fail, %.1fs\n",
		cell.Cell.Name, t.tried.Add(1), len(t.Models), m.Name, failed, time.Since(begun).Seconds())
	return trial, nil
}
