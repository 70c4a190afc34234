package main

import (
	"context"
	"fmt"
	"io"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/killtable"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/trials"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/suites"
)

// killTableFlags holds the flags of `mapstack kill-table`.
type killTableFlags struct {
	selection
	focus, file string
	all, again  bool
}

func killTableCommand() *cobra.Command {
	var f killTableFlags
	cmd := &cobra.Command{
		Use: "kill-table", Short: "Show which claims catch which injected defects", Args: cobra.NoArgs,
		Long: killTableLong,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := f.table(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := t.WriteText(cmd.OutOrStdout()); err != nil {
				return err
			}
			if f.file != "" {
				if err := writeKillTable(f.file, t); err != nil {
					return err
				}
			}
			if len(t.Problems()) > 0 {
				return exitError(verdict.ExitNonConformant)
			}
			return nil
		},
	}
	f.flags(cmd)
	f.talk.flags(cmd)
	f.matrixFlag(cmd)
	focusFlag(cmd, &f.focus)
	cmd.Flags().BoolVar(&f.all, "all", false, "also try each defect on the probes that should not notice it; this takes several times as long")
	cmd.Flags().BoolVar(&f.again, "again", false, "run everything again. Without it, results are cached per guest, so an interrupted table resumes")
	cmd.Flags().StringVar(&f.file, "write", "", "also write the table as Markdown to this file")
	return cmd
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

// table runs every defect on every cell.
func (f killTableFlags) table(ctx context.Context, log io.Writer) (killtable.Table, error) {
	t := killtable.Table{Excused: suites.Excused(), Probes: suites.ProbeOf()}
	var err error
	if f.focus, f.Skip, err = leaveOut(f.focus, f.Skip); err != nil {
		return t, err
	}
	t.Partial = f.focus != ""
	chosen, err := f.chosen()
	if err != nil {
		return t, err
	}
	for _, s := range chosen.subjects {
		if l, ok := s.(subject.Listed); ok && l.Alone() {
			return t, fmt.Errorf("%s: defects are injected in guests, and cell %s is tested as it runs; select other cells with --cell", l.Place, l.Name)
		}
	}
	probes, err := suites.ProbesFor(f.focus)
	if err != nil {
		return t, err
	}
	t.Models = trials.Models(probes)
	if t.Claims, err = suites.ClaimsFor(f.focus); err != nil {
		return t, err
	}
	rules, err := loadRules()
	if err != nil {
		return t, err
	}
	d := f.talk.display()
	defer d.Close()
	bench, err := workbench.Open(ctx, f.options(d.Sink))
	if err != nil {
		return t, err
	}
	asked := evidence.Run{Focus: f.focus, Matrix: chosen.evidence()}
	judge := trials.Judge{Target: suites.Target, Decide: func(c evidence.CellRun) ([]verdict.Outcome, error) {
		return rules.decide(asked, []evidence.CellRun{c})
	}}
	bound, err := subject.Bind(ctx, bench, chosen.subjects)
	if err != nil {
		return t, err
	}
	for _, subject := range bound.Bound() {
		tried := &trials.Trials{Probes: probes, Models: t.Models, All: f.all, Again: f.again, Judge: judge, Log: log}
		result, err := tried.Run(ctx, bench.Engine(), subject)
		if err != nil {
			return t, fmt.Errorf("kill table of cell %s: %w", subject.Cell.Name, err)
		}
		t.Kernels = append(t.Kernels, result)
	}
	return t, nil
}

// killTableLong is the help of kill-table.
const killTableLong = "kill-table runs the probes of each cell first without a defect, as the control, and then below every defect\n" +
	"model. Every run has a guest of its own. It prints which claims catch which defect. It exits with 1 if\n\n" +
	"  - the control is not conformant,\n" +
	"  - a defect is caught by no MUST claim,\n" +
	"  - a MUST claim fails under no defect, or\n" +
	"  - a defect makes claims about something else fail without a recorded reason."
