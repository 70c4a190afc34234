package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/mapstack/conformance/harness/judge/changes"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix"
)

// readBaseline judges the run that --baseline names; nil if it names none.
func (f *runFlags) readBaseline() (*report.Report, error) {
	if f.baseline == "" {
		return nil, nil
	}
	r, err := judgedAt(f.baseline)
	if err != nil {
		return nil, fmt.Errorf("--baseline %s: %w", f.baseline, err)
	}
	return &r, nil
}

// comparable refuses a baseline that has nothing in common with the cells of a run.
func comparable(baseline *report.Report, cells []matrix.Cell) error {
	if baseline == nil {
		return nil
	}
	var planned report.Report
	for _, c := range cells {
		planned.Cells = append(planned.Cells, report.CellReport{Name: c.Name})
	}
	if _, err := changes.Between(*baseline, planned); err != nil {
		return fmt.Errorf("--baseline: %w", err)
	}
	return nil
}

// against shows what changed against the baseline, writes that beside the report, and returns
// the exit status of the run: its own, or 1 if it would be 0 and something got worse.
func against(w io.Writer, folder string, baseline *report.Report, r report.Report, status int, l language.Language) (int, error) {
	if baseline == nil {
		return status, nil
	}
	return compared(w, folder, *baseline, r, status, l, l.Pick("\nAgainst the baseline:\n\n", "\n与基准比较：\n\n"))
}

// compared is against for a run that is there, below a title.
func compared(w io.Writer, folder string, before, r report.Report, status int, l language.Language, title string) (int, error) {
	c, err := changes.Between(before, r)
	if err != nil {
		return status, err
	}
	show := changes.Writer{Language: l, Claims: r.Claims}
	fmt.Fprint(w, title)
	if err := show.Write(w, c); err != nil {
		return status, err
	}
	show.Markdown = true
	if err := writeReport(folder, changesFile, func(w io.Writer) error { return show.Write(w, c) }); err != nil {
		return status, err
	}
	fmt.Fprintf(w, "%s%s\n", l.Pick("Changes:  ", "变化："), filepath.Join(folder, changesFile))
	if len(c.Of(changes.Regression)) > 0 && status == verdict.ExitConformant {
		fmt.Fprint(w, l.Pick("Exit status 1: the run is conformant, and something got worse.\n", "退出码 1：运行符合，但有退步。\n"))
		return verdict.ExitNonConformant, nil
	}
	return status, nil
}
