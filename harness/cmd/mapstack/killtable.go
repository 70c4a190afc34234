package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"sync/atomic"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/killtable"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	runner "github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites"
)

func killTableCommand() *cobra.Command {
	var s selection
	var focus, file string
	var all, again bool
	cmd := &cobra.Command{
		Use: "kill-table", Short: "Show which claims catch which injected defects", Args: cobra.NoArgs,
		Long: "kill-table runs the probes of each cell without a defect and then below every defect model, each\n" +
			"in a guest of its own, judges all of it, and prints which claims catch which defect. It fails when the control is not\n" +
			"conformant, when no MUST claim catches a defect, when no defect makes a MUST claim fail, and when\n" +
			"a defect makes claims about something else fail and nobody has said why.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := killTable(cmd.Context(), s, focus, all, again, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := t.WriteText(cmd.OutOrStdout()); err != nil {
				return err
			}
			if file != "" {
				if err := writeKillTable(file, t); err != nil {
					return err
				}
			}
			if len(t.Problems()) > 0 {
				return exitError(verdict.ExitNonConformant)
			}
			return nil
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&focus, "focus", "", "only these claims or suites, such as MS-003 or mmapabi")
	cmd.Flags().BoolVar(&all, "all", false, "try each defect on the probes that should not notice it as well; takes several times as long")
	cmd.Flags().BoolVar(&again, "again", false, "run everything again instead of using what the same guests said below the same defects before")
	cmd.Flags().StringVar(&file, "write", "", "write the table as Markdown to this file as well")
	return cmd
}

// related is the models that any of the probes could see: with a focus, a
// defect of something else says nothing.
func related(probes []string) []defect.Model {
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

func writeKillTable(path string, t killtable.Table) error {
	file, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("write the kill table: %w", err)
	}
	defer file.Cleanup()
	if err := t.WriteMarkdown(file); err != nil {
		return err
	}
	return file.CloseAtomicallyReplace()
}

func killTable(ctx context.Context, s selection, focus string, all, again bool, log io.Writer) (killtable.Table, error) {
	t := killtable.Table{Excused: suites.Excused(), Partial: focus != "", Probes: suites.ProbeOf()}
	cells, err := s.cells()
	if err != nil {
		return t, err
	}
	probes, err := suites.ProbesFor(focus)
	if err != nil {
		return t, err
	}
	t.Models = related(probes)
	if t.Claims, err = suites.ClaimsFor(focus); err != nil {
		return t, err
	}
	d := newDisplay(os.Stderr)
	defer d.close()
	bench, err := workbench.Open(ctx, ".", fixtures.FS(), s.locked, d.sink)
	if err != nil {
		return t, err
	}
	for _, c := range cells {
		trials := &trials{probes: probes, models: t.Models, focus: focus, all: all, again: again, log: log}
		result, err := trials.run(ctx, bench.Engine(), c)
		if err != nil {
			return t, fmt.Errorf("kill table of cell %s: %w", c.Name, err)
		}
		t.Kernels = append(t.Kernels, result)
	}
	return t, nil
}

// trials runs every defect on one cell.
type trials struct {
	probes []string
	models []defect.Model
	focus  string
	all    bool // also the probes that should not notice a defect
	again  bool // even what was observed before
	log    io.Writer

	origin  *runner.Origin
	control evidence.CellRun // without a defect
	target  defect.Target
	tried   atomic.Int32
}

func (t *trials) run(ctx context.Context, engine *runner.Engine, cell matrix.Cell) (killtable.Kernel, error) {
	result := killtable.Kernel{Name: cell.Name, Trials: make([]killtable.Trial, len(t.models))}
	var err error
	if t.origin, err = engine.Open(ctx, cell, io.Discard); err != nil {
		return result, err
	}
	t.control = evidence.CellRun{Cell: cell, Transcripts: map[string]wire.Transcript{}, Runs: map[string]evidence.ProbeRun{}}
	for _, probe := range t.probes {
		if err := t.observe(ctx, t.control, probe, ""); err != nil {
			return result, err
		}
	}
	if t.target, err = suites.Target(t.control); err != nil {
		return result, err
	}
	if result.Control, err = decide(t.focus, []evidence.CellRun{t.control}); err != nil {
		return result, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(engine.Host.Cores)
	for i, m := range t.models {
		group.Go(func() (err error) {
			result.Trials[i], err = t.try(ctx, m)
			return err
		})
	}
	return result, group.Wait()
}

// observe runs a probe below a defect and adds what it saw to cell.
func (t *trials) observe(ctx context.Context, cell evidence.CellRun, probe, defect string) error {
	observe := t.origin.Recall
	if t.again {
		observe = func(ctx context.Context, probe, defect string) (wire.Transcript, evidence.ProbeRun, error) {
			return t.origin.Observe(ctx, io.Discard, probe, defect)
		}
	}
	transcript, run, err := observe(ctx, probe, defect)
	if err != nil {
		return err
	}
	if cell.Runs[probe] = run; run.Failure == nil {
		cell.Transcripts[probe] = transcript
	}
	return nil
}

// try runs the probes below a defect. What a probe would have told whose guest
// ended is missing, and its run says why.
func (t *trials) try(ctx context.Context, m defect.Model) (killtable.Trial, error) {
	trial := killtable.Trial{Defect: m.Name, Unserved: m.Why(t.target)}
	if trial.Unserved != "" {
		return trial, nil
	}
	begun := time.Now()
	cell := evidence.CellRun{Cell: t.control.Cell, Transcripts: maps.Clone(t.control.Transcripts), Runs: map[string]evidence.ProbeRun{}}
	for _, probe := range t.probes {
		if program, _ := catalog.Lookup(probe); program.Direct != "" || !t.all && !program.About(m) {
			continue
		}
		delete(cell.Transcripts, probe)
		if err := t.observe(ctx, cell, probe, m.Name); err != nil {
			return trial, err
		}
	}
	var err error
	if trial.Outcomes, err = decide(t.focus, []evidence.CellRun{cell}); err != nil {
		return trial, err
	}
	failed := 0
	for _, o := range trial.Outcomes {
		if o.Status == verdict.Fail {
			failed++
		}
	}
	fmt.Fprintf(t.log, "%s %d/%d %s: %d claims fail, %.1fs\n",
		cell.Cell.Name, t.tried.Add(1), len(t.models), m.Name, failed, time.Since(begun).Seconds())
	return trial, nil
}
