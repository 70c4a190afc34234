package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/evidence"
	"github.com/mapstack/conformance/harness/killtable"
	"github.com/mapstack/conformance/harness/matrix"
	runner "github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/target"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/harness/workbench"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites"
)

func killTableCommand() *cobra.Command {
	var s selection
	var focus, file string
	var all bool
	cmd := &cobra.Command{
		Use: "kill-table", Short: "Show which claims catch which injected defects", Args: cobra.NoArgs,
		Long: "kill-table boots each cell once, runs the probes without a defect and then below every defect\n" +
			"model, judges all of it, and prints which claims catch which defect. It fails when the control is not\n" +
			"conformant, when no MUST claim catches a defect, when no defect makes a MUST claim fail, and when\n" +
			"a defect makes claims about something else fail and nobody has said why.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := killTable(cmd.Context(), s, focus, all, cmd.ErrOrStderr())
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
	cmd.Flags().StringVar(&file, "write", "", "write the table as Markdown to this file as well")
	return cmd
}

// related is the models that any of the probes could see: with a focus, a
// defect of something else says nothing.
func related(probes []string) []defect.Model {
	var models []defect.Model
	for _, m := range defect.Models() {
		for _, p := range probes {
			if !runner.Spared(p) && killtable.Related(p, m) {
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

func killTable(ctx context.Context, s selection, focus string, all bool, log io.Writer) (killtable.Table, error) {
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
	// A CPU that waits for a core may hold a spin lock on which the guest's other
	// CPU burns its own core: guests with more CPUs than there are cores take
	// several times as long.
	cpus := 1
	for _, c := range cells {
		cpus = max(cpus, c.CPUs)
	}
	t.Cells = make([]killtable.Cell, len(cells))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, bench.Host.Cores/cpus))
	for i, c := range cells {
		group.Go(func() error {
			trials := &trials{engine: bench.Engine(), cell: c, probes: probes, models: t.Models, focus: focus, all: all, log: log}
			if err := trials.run(ctx); err != nil {
				return fmt.Errorf("kill table of cell %s: %w", c.Name, err)
			}
			t.Cells[i] = trials.result
			return nil
		})
	}
	return t, group.Wait()
}

// trials runs every defect on one cell.
type trials struct {
	engine *runner.Engine
	cell   matrix.Cell
	probes []string
	models []defect.Model
	focus  string
	all    bool // also the probes that should not notice a defect
	log    io.Writer

	control evidence.Cell
	target  defect.Target
	result  killtable.Cell
}

// idleBoots is how many boots in a row may end before a defect was tried: an
// hour of trials is not given up for one boot that a busy host spoiled.
const idleBoots = 2

// run boots the cell, and again after a defect that ended its guest and after a
// probe that left its mark on it.
func (t *trials) run(ctx context.Context) error {
	t.result.Name = t.cell.Name
	for idle := 0; len(t.result.Trials) < len(t.models); {
		before := len(t.result.Trials)
		err := t.engine.One(ctx, t.cell, io.Discard, func(g *target.Guest) error {
			if t.control.Transcripts == nil {
				if err := t.observeControl(ctx, g); err != nil || slices.ContainsFunc(t.probes, killtable.Marks) {
					return err
				}
			}
			for _, m := range t.models[len(t.result.Trials):] {
				if marked, err := t.try(ctx, g, m); err != nil || marked {
					return err
				}
			}
			return nil
		})
		var failed *target.Failure
		switch {
		case err == nil:
		case errors.As(err, &failed) && ctx.Err() == nil && (len(t.result.Trials) > before || idle < idleBoots):
			if idle++; len(t.result.Trials) > before {
				idle = 0
			}
			fmt.Fprintf(t.log, "%s: the guest ended and is booted again: %v\n", t.cell.Name, err)
		default:
			return err
		}
	}
	return nil
}

func (t *trials) observeControl(ctx context.Context, g *target.Guest) error {
	transcripts := map[string]wire.Transcript{}
	for _, probe := range t.probes {
		observed, err := runner.Observe(ctx, g, probe, "")
		if err != nil {
			return err
		}
		transcripts[probe] = observed
	}
	t.control = evidence.Cell{Cell: t.cell, Transcripts: transcripts}
	var err error
	if t.target, err = suites.Target(t.control); err != nil {
		return err
	}
	t.result.Control, err = decide(t.focus, []evidence.Cell{t.control})
	return err
}

// try runs the probes below a defect, and reports whether one left its mark on
// the guest. What a probe would have told whose guest ended is missing, and the
// error says why.
func (t *trials) try(ctx context.Context, g *target.Guest, m defect.Model) (marked bool, err error) {
	trial := killtable.Trial{Defect: m.Name, Unserved: m.Why(t.target)}
	if trial.Unserved != "" {
		t.result.Trials = append(t.result.Trials, trial)
		return false, nil
	}
	begun := time.Now()
	cell := evidence.Cell{Cell: t.cell, Transcripts: map[string]wire.Transcript{}}
	var failure error
	for _, probe := range t.probes {
		if runner.Spared(probe) || !t.all && !killtable.Related(probe, m) {
			cell.Transcripts[probe] = t.control.Transcripts[probe]
			continue
		}
		marked = marked || killtable.Marks(probe)
		observed, err := runner.Observe(ctx, g, probe, m.Name)
		if err != nil {
			failure = err
			var failed *target.Failure
			if errors.As(err, &failed) {
				cell.Failure = failed
			}
			break
		}
		cell.Transcripts[probe] = observed
	}
	if trial.Outcomes, err = decide(t.focus, []evidence.Cell{cell}); err != nil {
		return false, err
	}
	t.result.Trials = append(t.result.Trials, trial)
	killed := 0
	for _, o := range trial.Outcomes {
		if o.Status == verdict.Fail {
			killed++
		}
	}
	fmt.Fprintf(t.log, "%s %d/%d %s: %d claims fail, %.1fs\n",
		t.cell.Name, len(t.result.Trials), len(t.models), m.Name, killed, time.Since(begun).Seconds())
	return marked, failure
}
