package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
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
	"github.com/mapstack/conformance/harness/judge/page"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/suites"
	"github.com/mapstack/conformance/suites/junit"
)

// Files of a run, beside its evidence.
const (
	reportFile      = "report.json"
	pageFile        = "report.html"
	junitFile       = "junit.xml"
	ginkgoFile      = "ginkgo.log"
	certificateFile = "certificate.json"
	changesFile     = "changes.md"
)

// version is this tool's own, printed in every report.
const version = "0.1.0"

// rules are what the fixtures say of claims and failures.
type rules struct {
	// decide returns the outcomes of all claims in the focus of a run. It knows the deviations,
	// also those of the run's matrix file.
	decide func(asked evidence.Run, cells []evidence.CellRun) ([]verdict.Outcome, error)
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
	r.decide = func(asked evidence.Run, cells []evidence.CellRun) ([]verdict.Outcome, error) {
		own, err := asked.Deviations()
		if err != nil {
			return nil, err
		}
		return suites.JudgeAll(cells, asked.Focus, slices.Concat(deviations, own))
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
	outcomes, err := r.decide(asked, cells)
	if err != nil {
		return report.Report{}, err
	}
	tool := report.Tool{Version: version, Go: runtime.Version(), Standalone: prebuilt.Images() != nil}
	return assemble.Report(assemble.Inputs{Tool: tool, Run: asked, Cells: cells, Claims: suites.Claims(), Outcomes: outcomes,
		Article: r.text, Known: r.known, Target: suites.Target}), nil
}

// writeReports writes the reports of the run in folder to dir, which may be the same.
func writeReports(dir, folder string, r report.Report, cells []evidence.CellRun, strict bool) error {
	if err := writeReport(dir, reportFile, func(w io.Writer) error { return r.WriteJSON(foreign.Writer(w)) }); err != nil {
		return err
	}
	root, err := evidence.Open(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	about, err := article.Load(fixtures.FS())
	if err != nil {
		return err
	}
	if err := writeReport(dir, pageFile, func(w io.Writer) error { return page.Write(w, r, cells, root.FS(), about, strict) }); err != nil {
		return err
	}
	if r.Defect != nil || r.Emulated() {
		return nil // JUnit has no place to say that these are no test results
	}
	if err := agree(dir, r, cells, strict); err != nil {
		return err
	}
	return writeReport(dir, junitFile, func(w io.Writer) error { return junit.Write(w, r, strict) })
}

// writeReport writes one report; none is there if that fails.
func writeReport(dir, name string, write func(io.Writer) error) error {
	file, err := renameio.NewPendingFile(filepath.Join(dir, name), renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	defer file.Cleanup()
	buffered := bufio.NewWriter(file)
	if err := write(buffered); err != nil {
		return err
	}
	if err := errors.Join(buffered.Flush(), file.CloseAtomicallyReplace()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// agree returns an error if Ginkgo, under which the suites also run, decides the outcomes
// otherwise than the verdict.
func agree(dir string, r report.Report, cells []evidence.CellRun, strict bool) error {
	log, err := os.Create(filepath.Join(dir, ginkgoFile))
	if err != nil {
		return fmt.Errorf("write Ginkgo's log: %w", err)
	}
	defer log.Close()
	shown := r.Outcomes
	if strict {
		shown = verdict.Strictly(shown)
	}
	passed, err := junit.Succeeds(shown, cells, foreign.Writer(log))
	if err != nil {
		return err
	}
	if code := r.ExitCode(strict); passed != (code == verdict.ExitConformant) {
		return fmt.Errorf("the suite under Ginkgo (passed: %v) contradicts the exit status (%d); this is a defect of mapstack, please report it with %s",
			passed, code, dir)
	}
	return nil
}
