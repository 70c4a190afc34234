package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/progress/pace"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/suites"
)

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run", Short: "Boot the cells, run the probes, judge the claims", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.flags(cmd)
	return cmd
}

// run tests the subjects and shows the report.
func (f *runFlags) run(cmd *cobra.Command) (err error) {
	if f.exit != "verdict" && f.exit != "bisect" {
		return fmt.Errorf("--exit %s is unknown; give verdict or bisect", f.exit)
	}
	release, err := f.begin(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if f.focus, f.Skip, err = leaveOut(f.focus, f.Skip); err != nil {
		return err
	}
	baseline, err := f.readBaseline()
	if err != nil {
		return err
	}
	if f.dry {
		return f.plan(cmd)
	}
	if f.times > 1 {
		return f.repeats(cmd, baseline)
	}
	chosen, err := f.subjects()
	if err != nil {
		return err
	}
	chosen.announce(cmd)
	folder, results, r, err := f.report(cmd.Context(), chosen, baseline)
	if err != nil {
		return err
	}
	style := f.style(cmd, f.strict)
	if err := draw(cmd, style, r); err != nil {
		return err
	}
	if err := altered(results); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	showPlaces(w, folder.Path(), r, style.Language)
	status := f.status(r)
	if d, ok := r.WithoutReal(f.strict); ok && f.allowTwin {
		fmt.Fprintf(w, style.Language.Pick("\nExit status %d is what the twin and the models decide (ALLOW_TWIN). No kernel of %s was tested: the verdict stays %s and certifies nothing.\n",
			"\n退出码 %d 是由孪生内核和模型决定的（ALLOW_TWIN）。没有测试 %s 的任何内核：结论仍是 %s，不构成认证。\n"),
			d.ExitCode, r.Tiers.Arch, r.Verdict.Verdict)
	} else {
		fmt.Fprint(w, end(style, r))
	}
	if status, err = against(w, folder.Path(), baseline, r, status, style.Language); err != nil {
		return err
	}
	fmt.Fprint(w, f.toGoOn(cmd.Context(), folder.Path(), style.Language))
	return statusError(status)
}

// showPlaces says where the files of a run are.
func showPlaces(w io.Writer, folder string, r report.Report, l language.Language) {
	fmt.Fprintf(w, "\n%s%s\n", l.Pick("Report:   ", "报告："), filepath.Join(folder, reportFile))
	fmt.Fprintf(w, "%s%s\n", l.Pick("Page:     ", "网页："), filepath.Join(folder, pageFile))
	if r.Defect == nil && !r.Emulated() {
		fmt.Fprintf(w, "%s%s\n", l.Pick("JUnit:    ", "JUnit："), filepath.Join(folder, junitFile))
	}
	fmt.Fprintf(w, "%s%s\n", l.Pick("Evidence: ", "证据："), filepath.Join(folder, "cells"))
}

// status returns the exit status of a run.
func (f *runFlags) status(r report.Report) int {
	if d, ok := r.WithoutReal(f.strict); ok && f.allowTwin {
		return d.ExitCode
	}
	return r.ExitCode(f.strict)
}

// report binds the chosen subjects, runs their probes, judges the observations, and writes the
// reports. Nothing is run if the baseline, which may be nil, cannot be compared with it.
func (f *runFlags) report(ctx context.Context, chosen chosen, baseline *report.Report) (folder evidence.Folder, results []evidence.CellRun, r report.Report, err error) {
	folder, asked, results, err := f.observe(ctx, chosen, baseline)
	if err != nil {
		return folder, nil, r, err
	}
	if r, err = judge(asked, results); err != nil {
		return folder, nil, r, err
	}
	if r.Header.Evidence, err = digest(folder.Path()); err != nil {
		return folder, nil, r, err
	}
	if err = writeReports(folder.Path(), folder.Path(), r, results, f.strict); err == nil {
		linkLatest(folder.Path())
	}
	return folder, results, r, err
}

// end returns what the last lines of a run say of its exit status; "" if the verdict says it.
func end(style summary.Style, r report.Report) string {
	if text := style.End(r); text != "" {
		return "\n" + text
	}
	return ""
}

// observe runs the probes and leaves the evidence in a folder.
func (f *runFlags) observe(ctx context.Context, chosen chosen, baseline *report.Report) (folder evidence.Folder, asked evidence.Run, results []evidence.CellRun, err error) {
	if chosen.subjects, err = f.share(chosen.subjects); err != nil {
		return folder, asked, nil, err
	}
	d := f.talk.display()
	defer d.Close()
	tell, told, err := f.tell(d.Sink)
	if err != nil {
		return folder, asked, nil, err
	}
	defer told()
	way := pace.New(tell)
	o, err := f.options(way.Sink)
	if err != nil {
		return folder, asked, nil, err
	}
	if err := f.judging(&o, chosen.evidence()); err != nil {
		return folder, asked, nil, err
	}
	bench, err := workbench.Open(ctx, o)
	if err != nil {
		return folder, asked, nil, err
	}
	defer func() { err = errors.Join(err, bench.Close()) }()
	waves := subject.Waves(chosen.subjects)
	bound, err := subject.Bind(ctx, bench, waves[0])
	if err != nil {
		return folder, asked, nil, err
	}
	planned := bound.Cells()
	for _, wave := range waves[1:] {
		planned = append(planned, wave[0].(subject.Planner).Planned())
	}
	if err := comparable(baseline, planned); err != nil {
		return folder, asked, nil, errors.Join(err, bound.Release())
	}
	probes, err := suites.Probes(planned, f.focus)
	if err != nil {
		return folder, asked, nil, errors.Join(err, bound.Release())
	}
	defer f.follow(ctx, bench, way, f.rest(probes))()
	session, err := bench.Begin(ctx, workbench.Order{Subjects: bound.Bound(), Later: planned[len(bound.Cells()):], Matrix: chosen.evidence(),
		Focus: f.focus, Out: f.out, Version: version, Flags: f.recorded, Asked: f.repeated, Shard: f.part, Resume: f.interrupted})
	for i := 0; err == nil; {
		err = f.wave(ctx, session, bound)
		if i++; i == len(waves) || err != nil {
			bound = nil
			break
		}
		bound, err = subject.Bind(ctx, bench, waves[i])
	}
	err = session.End(errors.Join(err, bound.Release()))
	return session.Folder, session.Run, session.Results, err
}

// wave runs the probes of bound subjects, and releases them.
func (f *runFlags) wave(ctx context.Context, session *workbench.Session, bound subject.Set) error {
	probes, err := suites.Probes(bound.Cells(), f.focus)
	if err == nil {
		err = session.Add(ctx, bound.Bound(), probes)
	}
	return errors.Join(err, bound.Release())
}

// follow shows how far a run is, until the returned function is called. That function keeps
// how long the probes took, for the next run.
func (f *runFlags) follow(ctx context.Context, bench *workbench.Bench, way *pace.Run, probes map[string][]string) func() {
	root := bench.Cache.Root()
	way.Plan(probes, bench.Host.Cores, pace.Load(root))
	ticking, stop := context.WithCancel(ctx)
	var ticks sync.WaitGroup
	ticks.Go(func() { way.Keep(ticking) })
	return func() {
		stop()
		ticks.Wait() // nothing may be shown after the display has closed
		if f.defect != "" {
			return // below a defect, probes take longer
		}
		if err := way.Measured().Save(root); err != nil {
			bench.Sink(progress.Event{Stage: progress.Warning, What: "the next run cannot tell how long it takes: " + err.Error(), End: true})
		}
	}
}

// judging sets the functions of o that judge a cell of the run as soon as it has ended, from its
// evidence alone. from is the matrix file of the run. An error of judging is left to the end of
// the run, which judges all cells again.
func (f *runFlags) judging(o *workbench.Options, from *evidence.Matrix) error {
	rules, err := loadRules()
	if err != nil {
		return err
	}
	judge := func(c evidence.CellRun) (report.Report, error) {
		asked := evidence.Run{Focus: f.focus, Defect: f.defect, Matrix: from, Cells: []matrix.Cell{c.Cell}, Started: time.Now()}
		return rules.judge(asked, []evidence.CellRun{c})
	}
	o.Verdict = func(c evidence.CellRun) string {
		r, err := judge(c)
		if err != nil || len(r.Cells) != 1 {
			return ""
		}
		return summary.Style{}.Verdict(r, r.Cells[0])
	}
	o.Undecided = func(c evidence.CellRun) map[string]string {
		r, err := judge(c)
		if err != nil {
			return nil
		}
		return verdict.Undecided(r.Outcomes)
	}
	return nil
}

// altered returns how a system differs from what it was before its probes; nil if it does not.
func altered(cells []evidence.CellRun) error {
	for _, c := range cells {
		if c.Failure != nil && c.Failure.Kind == failure.Altered {
			return c.Failure
		}
	}
	return nil
}

// statusError returns an exit status as an error; nil for 0.
func statusError(code int) error {
	if code == verdict.ExitConformant {
		return nil
	}
	return exitError(code)
}
