package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/article"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/suites"
	"github.com/mapstack/conformance/suites/junit"
)

func runCommand() *cobra.Command {
	var s selection
	var focus, out, defect string
	var fresh, allowTwin, offline bool
	var at aim
	var own given
	var whole fullBoot
	cmd := &cobra.Command{
		Use: "run", Short: "Boot the cells, run the probes, judge the claims", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if offline {
				s.locked = true // what the archive has now cannot be asked
				// Both are asked where the network would be: by us, and by the go command.
				if err := errors.Join(os.Setenv(debian.OfflineVariable, "1"), os.Setenv("GOPROXY", "off")); err != nil {
					return err
				}
			}
			own.take(&s)
			return run(cmd.Context(), cmd.OutOrStdout(), s, at, own, whole, focus, defect, fresh, allowTwin, out)
		},
	}
	s.flags(cmd)
	own.flags(cmd)
	whole.flags(cmd)
	cmd.Flags().StringVar(&focus, "focus", "", "only these claims or suites, such as MS-003 or mmapabi")
	cmd.Flags().StringVar(&defect, "defect", "", "run the probes as on a kernel with this defect; certifies nothing")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "boot a guest for every probe instead of restoring one that was booted before")
	cmd.Flags().BoolVar(&allowTwin, "allow-twin", false, "exit as the twin and the models decide where there is no real kernel of the architecture")
	cmd.Flags().BoolVar(&offline, "offline", false, "download nothing: what the cache lacks is an error that names it; implies --locked")
	cmd.Flags().StringVar(&at.where, "target", "", "run the probes in a system that runs already: native (this one), ssh://user@host[:port], or user (a user-mode emulator of --arch)")
	cmd.Flags().StringVar(&s.programs, "guest-agent", "", "folder of the agent and probes, static programs that you compiled with your own Go, to run instead of ours")
	cmd.Flags().BoolVar(&at.destructive, "destructive", false, "let probes do to the target what others who use it would suffer from")
	cmd.Flags().StringVar(&out, "out", "out", "folder for evidence and reports")
	return cmd
}

func run(ctx context.Context, w io.Writer, s selection, at aim, own given, whole fullBoot, focus, defect string, fresh, allowTwin bool, out string) (failed error) {
	cells, err := s.cells()
	if err != nil {
		return err
	}
	if at.where != "" && (defect != "" || s.Cell != "" || s.Kernel != "") {
		return errors.New("--target runs on a system as it is; leave out --cell, --kernel and --defect")
	}
	if own.any() && (at.where != "" || s.Cell != "" || s.Kernel != "") {
		return errors.New("a kernel that is given makes a cell of its own; leave out --target, --cell and the series of --kernel")
	}
	if whole.asked && (own.image == "" || own.kernel != "" || len(own.args) > 0 || defect != "" || at.where != "") {
		return errors.New("--full-boot boots what is on --os-image, as it is; leave out --kernel, --kernel-arg, --defect and --target")
	}
	params, err := own.asked()
	if err != nil {
		return err
	}
	if err := injectable(defect, cells); err != nil {
		return err
	}
	d := newDisplay(os.Stderr)
	bench, err := workbench.Open(ctx, ".", fixtures.FS(), s.locked, d.sink)
	if err != nil {
		d.close()
		return err
	}
	bench.Guests.Folder = s.programs
	bench.Params = params
	switch {
	case whole.asked:
		cell, system, err := whole.connect(ctx, bench, own, s.Arch, at.destructive, d.sink)
		if err != nil {
			d.close()
			return err
		}
		defer func() { failed = errors.Join(failed, system.Close()) }()
		cells = []matrix.Cell{cell}
	case own.any():
		cell, err := own.cell(ctx, bench, s.Arch)
		if err != nil {
			d.close()
			return err
		}
		cells = []matrix.Cell{cell}
	}
	if at.where != "" {
		cell, system, err := at.connect(ctx, bench, s.Arch)
		if err != nil {
			d.close()
			return err
		}
		defer func() { failed = errors.Join(failed, system.Close()) }()
		cells = []matrix.Cell{cell}
	}
	probes, err := suites.Probes(cells, focus)
	if err != nil {
		d.close()
		return err
	}
	bench.Defect, bench.Fresh = defect, fresh
	folder, asked, results, err := bench.Run(ctx, cells, probes, focus, out)
	d.close()
	if err != nil {
		return err
	}
	r, err := judge(asked, results)
	if err != nil {
		return err
	}
	if err := writeReports(folder.Path(), r, results, focus); err != nil {
		return err
	}
	if err := summary.Write(w, r); err != nil {
		return err
	}
	if err := altered(results); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nReport:   %s\n", filepath.Join(folder.Path(), reportFile))
	if defect == "" && !emulated(results) {
		fmt.Fprintf(w, "JUnit:    %s\n", filepath.Join(folder.Path(), junitFile))
	}
	fmt.Fprintf(w, "Evidence: %s\n", filepath.Join(folder.Path(), "cells"))
	if d, ok := r.WithoutReal(); ok && allowTwin {
		fmt.Fprintf(w, "\nExit status %d is what the twin and the models decide (ALLOW_TWIN). No kernel of %s was tested: the verdict stays %s and certifies nothing.\n",
			d.ExitCode, r.Tiers.Arch, r.Verdict.Verdict)
		return verdictError(d)
	}
	return verdictError(r.Verdict)
}

// Files of a run, beside its evidence.
const (
	reportFile = "report.json"
	junitFile  = "junit.xml"
	ginkgoFile = "ginkgo.log"
)

func verdictError(d verdict.Decision) error {
	if d.ExitCode == verdict.ExitConformant {
		return nil
	}
	return exitError(d.ExitCode)
}

// judge decides every claim from evidence alone.
func judge(asked evidence.Run, cells []evidence.CellRun) (report.Report, error) {
	outcomes, err := decide(asked.Focus, cells)
	if err != nil {
		return report.Report{}, err
	}
	r := report.New(header(asked, cells), asked.Focus, reportCells(cells), suites.Claims(), outcomes)
	if emulated(cells) {
		r.Verdict = uncertified(r.Verdict)
		for i := range r.Cells {
			r.Cells[i].Verdict = uncertified(r.Cells[i].Verdict)
		}
		r.Header.Warnings = append(r.Header.Warnings, report.UserModeNote)
	}
	r.Defect = injected(asked.Defect, cells)
	text, err := article.Load(fixtures.FS())
	if err != nil {
		return report.Report{}, err
	}
	r.Tiers = text.Judge(asked.Cells, outcomes)
	return r, nil
}

// decide gives every outcome of the focus, with the recorded deviations.
func decide(focus string, cells []evidence.CellRun) ([]verdict.Outcome, error) {
	all, err := matrix.Load(fixtures.FS())
	if err != nil {
		return nil, err
	}
	deviations, err := suites.Deviations(fixtures.FS(), all)
	if err != nil {
		return nil, err
	}
	return suites.JudgeAll(cells, focus, deviations)
}

func writeReports(dir string, r report.Report, cells []evidence.CellRun, focus string) error {
	file, err := renameio.NewPendingFile(filepath.Join(dir, reportFile), renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	defer file.Cleanup()
	if err := r.WriteJSON(file); err != nil {
		return err
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if r.Defect != nil || emulated(cells) {
		return nil // JUnit has no place to say that these are no test results
	}
	log, err := os.Create(filepath.Join(dir, ginkgoFile))
	if err != nil {
		return fmt.Errorf("write Ginkgo's log: %w", err)
	}
	defer log.Close()
	passed, err := junit.Write(r.Outcomes, cells, filepath.Join(dir, junitFile), log)
	if err != nil {
		return err
	}
	if d := r.Verdict; passed != (d.Verdict == verdict.Conformant) {
		return fmt.Errorf("the JUnit report (passed: %v) contradicts the verdict (%s); this is a defect of mapstack, please report it with %s",
			passed, d.Verdict, dir)
	}
	return nil
}
