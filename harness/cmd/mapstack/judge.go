package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/article"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/suites"
)

// Files of a run, beside its evidence.
const (
	reportFile = "report.json"
	junitFile  = "junit.xml"
	ginkgoFile = "ginkgo.log"
)

// judge makes the report of a run from its evidence alone.
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

// decide returns the outcomes of all claims in the focus. It knows the recorded deviations.
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

func writeReports(dir string, r report.Report, cells []evidence.CellRun) error {
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
	passed, err := suites.RunGinkgo(r.Outcomes, cells, filepath.Join(dir, junitFile), log)
	if err != nil {
		return err
	}
	if d := r.Verdict; passed != (d.Verdict == verdict.Conformant) {
		return fmt.Errorf("the JUnit report (passed: %v) contradicts the verdict (%s); this is a defect of mapstack, please report it with %s",
			passed, d.Verdict, dir)
	}
	return nil
}
