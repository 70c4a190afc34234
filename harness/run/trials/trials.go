// Package trials runs the probes of a subject below every defect model. The kill table is
// made of the results: it shows which claims catch which defects.
package trials

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
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
	Log   io.Writer // a line for each probe below each defect

	opened *run.Opened
	ended  atomic.Int32 // jobs
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
	control, err := t.control(ctx, engine, subject)
	if err != nil {
		return result, err
	}
	target, err := t.Judge.Target(control)
	if err != nil {
		return result, err
	}
	if result.Control, err = t.Judge.Decide(control); err != nil {
		return result, err
	}
	jobs := make([][]*job, len(t.Models))
	for i, m := range t.Models {
		result.Trials[i] = killtable.Trial{Defect: m.Name, Unserved: m.Why(target)}
		if result.Trials[i].Unserved == "" {
			jobs[i] = t.jobs(m)
		}
	}
	if err := t.all(ctx, engine.Host.Cores, slices.Concat(jobs...)); err != nil {
		return result, err
	}
	for i := range t.Models {
		if result.Trials[i].Unserved != "" {
			continue
		}
		if result.Trials[i].Outcomes, err = t.Judge.Decide(below(control, jobs[i])); err != nil {
			return result, err
		}
	}
	return result, nil
}

// control runs the probes without a defect.
func (t *Trials) control(ctx context.Context, engine *run.Engine, subject run.Bound) (evidence.CellRun, error) {
	cell := evidence.CellRun{Cell: subject.Cell, Transcripts: map[string]wire.Transcript{}, Runs: map[string]evidence.ProbeRun{}}
	var jobs []*job
	for _, probe := range t.Probes {
		jobs = append(jobs, &job{probe: probe})
	}
	err := t.all(ctx, engine.Host.Cores, jobs)
	return below(cell, jobs), err
}

// job is one probe below one defect model, or below none.
type job struct {
	probe, defect string
	transcript    wire.Transcript
	run           evidence.ProbeRun
}

// jobs returns the probes that could notice a model, or all of them.
func (t *Trials) jobs(m defect.Model) (jobs []*job) {
	for _, probe := range t.Probes {
		if program, _ := catalog.Lookup(probe); program.Direct == "" && (t.All || program.About(m)) {
			jobs = append(jobs, &job{probe: probe, defect: m.Name})
		}
	}
	return jobs
}

// below returns a cell in which the probes of jobs observed what they did, and the others
// what they did in cell. If the guest of a probe ended, its transcript is missing and its run
// says why.
func below(cell evidence.CellRun, jobs []*job) evidence.CellRun {
	cell.Transcripts, cell.Runs = maps.Clone(cell.Transcripts), maps.Clone(cell.Runs)
	for _, j := range jobs {
		delete(cell.Transcripts, j.probe)
		if cell.Runs[j.probe] = j.run; j.run.Failure == nil {
			cell.Transcripts[j.probe] = j.transcript
		}
	}
	return cell
}

// all does jobs, as many at once as the host has cores. One guest serves many jobs, as long
// as the probes are of those that leave nothing behind.
func (t *Trials) all(ctx context.Context, cores int, jobs []*job) error {
	t.ended.Store(0)
	observe := func(s *run.Series, j *job) error { return t.observe(ctx, s, j, len(jobs)) }
	queue := make(chan *job, len(jobs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cores)
	for _, j := range jobs {
		if t.opened.Shares(j.probe) {
			queue <- j
		}
	}
	close(queue)
	for range cores {
		group.Go(func() error {
			return t.opened.Series(ctx, func(s *run.Series) error {
				for j := range queue {
					if err := observe(s, j); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	for _, j := range jobs {
		if !t.opened.Shares(j.probe) {
			group.Go(func() error {
				return t.opened.Series(ctx, func(s *run.Series) error { return observe(s, j) })
			})
		}
	}
	return group.Wait()
}

// observe does one job.
func (t *Trials) observe(ctx context.Context, s *run.Series, j *job, of int) (err error) {
	began := time.Now()
	if t.Again {
		j.transcript, j.run, err = s.Observe(ctx, io.Discard, j.probe, j.defect)
	} else {
		j.transcript, j.run, err = s.Recall(ctx, j.probe, j.defect)
	}
	if err == nil && j.defect != "" {
		fmt.Fprintf(t.Log, "%s %d/%d %s below %s: %.1fs\n", s.Cell(), t.ended.Add(1), of, j.probe, j.defect, time.Since(began).Seconds())
	}
	return err
}
