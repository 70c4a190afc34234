package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/google/renameio/v2"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/guest/prebuilt"
	"github.com/mapstack/conformance/harness/judge/article"
	"github.com/mapstack/conformance/harness/judge/assemble"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/suites"
	"github.com/mapstack/conformance/suites/junit"
)

// Files of a run, beside its evidence.
const (
	reportFile = "report.json"
	junitFile  = "junit.xml"
	ginkgoFile = "ginkgo.log"
)

// version is this tool's own, printed in every report.
const version = "0.1.0"

// rules are what the fixtures say of claims and failures.
type rules struct {
	// decide returns the outcomes of all claims in the focus. It knows the deviations.
	decide func(focus string, cells []evidence.CellRun) ([]verdict.Outcome, error)
	known  matrix.KnownFailures
	text   article.Article
}

// loadRules reads the rules, and checks that they are about cells and claims that exist.
func loadRules() (r rules, err error) {
	cells, err := matrix.Load(fixtures.FS())
	if err != nil {
		return r, err
	}
	deviations, err := suites.Deviations(fixtures.FS(), cells)
	if err != nil {
		return r, err
	}
	r.decide = func(focus string, cells []evidence.CellRun) ([]verdict.Outcome, error) {
		return suites.JudgeAll(cells, focus, deviations)
	}
	if r.known, err = matrix.LoadKnown(fixtures.FS()); err != nil {
		return r, err
	}
	if err := assemble.CheckKnown(r.known, suites.Claims()); err != nil {
		return r, err
	}
	r.text, err = article.Load(fixtures.FS())
	return r, err
}

// judge decides every claim from evidence alone.
func judge(asked evidence.Run, cells []evidence.CellRun) (report.Report, error) {
	r, err := loadRules()
	if err != nil {
		return report.Report{}, err
	}
	return r.judge(asked, cells)
}

func (r rules) judge(asked evidence.Run, cells []evidence.CellRun) (report.Report, error) {
	outcomes, err := r.decide(asked.Focus, cells)
	if err != nil {
		return report.Report{}, err
	}
	tool := report.Tool{Version: version, Go: runtime.Version(), Standalone: prebuilt.Images() != nil}
	return assemble.Report(assemble.Inputs{Tool: tool, Run: asked, Cells: cells, Claims: suites.Claims(), Outcomes: outcomes,
		Article: r.text, Known: r.known, Target: suites.Target}), nil
}

// writeReports writes the reports of a run. JUnit succeeds exactly when the run ends with 0.
func writeReports(dir string, r report.Report, cells []evidence.CellRun, strict bool) error {
	file, err := renameio.NewPendingFile(filepath.Join(dir, reportFile), renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	defer file.Cleanup()
	if err := r.WriteJSON(foreign.Writer(file)); err != nil {
		return err
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if r.Defect != nil || r.Emulated() {
		return nil // JUnit has no place to say that these are no test results
	}
	log, err := os.Create(filepath.Join(dir, ginkgoFile))
	if err != nil {
		return fmt.Errorf("write Ginkgo's log: %w", err)
	}
	defer log.Close()
	shown := r.Outcomes
	if strict {
		shown = verdict.Strictly(shown)
	}
	shown = slices.Clone(shown)
	for i := range shown {
		shown[i].Reason = foreign.Lines(shown[i].Reason)
	}
	passed, err := junit.Write(shown, cells, filepath.Join(dir, junitFile), foreign.Writer(log))
	if err != nil {
		return err
	}
	if code := r.ExitCode(strict); passed != (code == verdict.ExitConformant) {
		return fmt.Errorf("the JUnit report (passed: %v) contradicts the exit status (%d); this is a defect of mapstack, please report it with %s",
			passed, code, dir)
	}
	return nil
}
