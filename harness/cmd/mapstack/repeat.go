package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/flakes"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// maxRepeats bounds --repeat.
const maxRepeats = 1000

// repeats runs everything several times, each time into a folder of its own, and shows which
// claims were not always decided alike. The worst repeat decides the exit status.
func (f *runFlags) repeats(cmd *cobra.Command, baseline *report.Report) error {
	w, style := cmd.OutOrStdout(), f.style(cmd, f.strict)
	pick := style.Language.Pick
	chosen, err := f.subjects()
	if err != nil {
		return err
	}
	chosen.announce(cmd)
	var tally flakes.Tally
	var statuses []int
	for i := 1; i <= f.times && cmd.Context().Err() == nil; i++ {
		folder, results, r, err := f.report(cmd.Context(), chosen, baseline)
		if err != nil {
			return err
		}
		if err := altered(results); err != nil {
			return err
		}
		status := f.status(r)
		fmt.Fprintf(w, pick("Repeat %d of %d: %s (%s). Exit status %d. Report: %s\n", "第 %d 次，共 %d 次：%s（%s）。退出码 %d。报告：%s\n"),
			i, f.times, style.Word(r), style.Language.Pick(r.Verdict.Reason, r.Verdict.Chinese), status, filepath.Join(folder.Path(), reportFile))
		if status, err = against(w, folder.Path(), baseline, r, status, style.Language); err != nil {
			return err
		}
		tally.Add(r)
		statuses = append(statuses, status)
	}
	fmt.Fprint(w, flakeTable(&tally, false, style.Language))
	status := flakes.Worst(statuses)
	if tally.Runs < f.times {
		fmt.Fprintf(w, pick("\nThe repeats were stopped: %d of %d ran.\n", "\n重复被停止：只运行了 %d 次，共 %d 次。\n"), tally.Runs, f.times)
		status = flakes.Worst([]int{status, verdict.ExitIncomplete})
	}
	fmt.Fprintf(w, pick("\nExit status %d is that of the worst repeat.\n", "\n退出码 %d 取自最差的一次。\n"), status)
	return statusError(status)
}

// rerun selects the cells and claims of a finished run that failed or were not decided.
func rerun(cmd *cobra.Command, folder string) error {
	asked, runs, err := evidence.Load(folder)
	if err != nil {
		return err
	}
	r, err := judge(asked, runs)
	if err != nil {
		return err
	}
	if r.Defect != nil {
		return fmt.Errorf("--rerun-failed %s: it ran with the injected defect %s; run it again with --defect", folder, r.Defect.Name)
	}
	strict, err := cmd.Flags().GetBool("strict")
	if err != nil {
		return err
	}
	cells, claims, all := failed(r, strict)
	if len(cells) == 0 {
		return fmt.Errorf("--rerun-failed %s: nothing failed there, and everything was decided, so that there is nothing to run again", folder)
	}
	for _, c := range runs {
		if cells[c.Cell.Name] && (c.Cell.Host != "" || c.Cell.Kernel.From == matrix.Given) {
			return fmt.Errorf("--rerun-failed %s: %s is no cell of the matrix; run it again as it was run then", folder, c.Cell.Name)
		}
	}
	var names []string
	for _, c := range asked.Cells {
		if cells[c.Name] {
			names = append(names, c.Name)
		}
	}
	if err := cmd.Flags().Set("cell", strings.Join(names, ",")); err != nil {
		return err
	}
	if all {
		return cmd.Flags().Set("focus", asked.Focus)
	}
	return cmd.Flags().Set("focus", strings.Join(claims, ","))
}

// failed returns the cells with an outcome that keeps a run from ending well, and the claims of
// these outcomes, sorted. all means that these are all claims of the run.
func failed(r report.Report, strict bool) (cells map[string]bool, claims []string, all bool) {
	cells = map[string]bool{}
	bad, known := map[string]bool{}, map[string]bool{}
	for _, o := range r.Outcomes {
		id := o.Claim
		if o.Probe == "" && o.Status != verdict.Unsupported { // of the whole suite
			id = o.Suite
		}
		known[id] = true
		fine := o.Status == verdict.Pass || o.Status == verdict.Unsupported || o.Harmless() || o.AsKnown() && !strict
		if !fine && !bad[id] {
			bad[id] = true
			claims = append(claims, id)
		}
		if !fine {
			cells[o.Cell] = true
		}
	}
	slices.Sort(claims)
	return cells, claims, len(bad) == len(known)
}
