package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/load"
	"github.com/mapstack/conformance/harness/judge/page"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/turns"
	"github.com/mapstack/conformance/harness/run/workbench"
)

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure how fast targets are, one against another", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.New("bench needs to know what to measure; `mapstack bench load` measures goroutines under load")
		},
	}
	cmd.AddCommand(benchLoadCommand())
	return cmd
}

// Files of a bench in its folder.
const (
	benchJSON = "load.json"
	benchPage = "load.html"
)

// The most repetitions and milliseconds that a bench takes.
const (
	mostRepetitions  = 1000
	mostMilliseconds = 60000
)

// benchFlags holds the flags of `mapstack bench load`.
type benchFlags struct {
	selection
	targets, cells, loads     []string
	repetitions, milliseconds int
	programs, out             string
}

func benchLoadCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use: "load", Short: "Measure goroutines under load on several targets in turns",
		Long: "bench load runs the same loads on every target in turns and compares each target with the first one. It prints the\n" +
			"medians with the ratios and their limits, and what the article about sw64 says of the causes. The folder of the run\n" +
			"gets all samples as JSON and a page with plots. Without --target and --cell it measures this host alone.\n" +
			"It judges no kernel. It exits with 2 if a load did not run to its end.",
		Example: "  mapstack bench load --target native --target ssh://user@board\n  mapstack bench load --target native --cell s390x-debian12-6.1 --load pool,spawn",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	set := cmd.Flags()
	set.StringArrayVar(&f.targets, "target", nil, "measure a system that runs already: native (this one), ssh://user@host[:port], or user (a user-mode emulator of --arch) (may be repeated)")
	set.StringVar(&f.Arch, "arch", "", "the architecture that --target user emulates")
	set.StringArrayVar(&f.cells, "cell", nil, "measure guests of these cells, after the targets (comma-separated; may be repeated)")
	set.StringArrayVar(&f.loads, "load", nil, "only these loads (comma-separated; may be repeated)")
	set.IntVar(&f.repetitions, "repetitions", 10, "how often each load is measured on each target")
	set.IntVar(&f.milliseconds, "milliseconds", 300, "how long each repetition of a load is measured")
	set.StringVar(&f.programs, "guest-agent", "", "folder with the agent and probes to run instead of ours: the program guest, which you compiled from poc/guest with your own Go")
	set.StringVar(&f.out, "out", "out", "folder for the results")
	set.BoolVar(&f.offline, "offline", false, offlineUsage)
	set.BoolVar(&f.locked, "locked", false, "accept no kernel but the one in fixtures/kernels.lock")
	f.talk.flags(cmd)
	set.StringArrayVar(&f.supplied, "supply", nil, "supply a part that no archive has, as NAME=VALUE, such as SW64_KERNEL=FILE; overrides the environment (may be repeated)")
	return cmd
}

// run measures, prints the tables and writes the files.
func (f *benchFlags) run(cmd *cobra.Command) error {
	chapter, err := load.LoadChapter(fixtures.FS())
	if err != nil {
		return err
	}
	result, err := f.measure(cmd.Context())
	if err != nil {
		return err
	}
	folder, err := evidence.Create(f.out, result.Started)
	if err != nil {
		return err
	}
	l := tongue(cmd)
	write := func(name string, write func(io.Writer) error) error { return writeReport(folder.Path(), name, write) }
	if err := errors.Join(write(benchJSON, result.WriteJSON), write(benchPage, func(w io.Writer) error { return page.WriteLoad(w, result, chapter) })); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if err := result.Write(w, chapter, l); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s%s\n", l.Pick("Page:    ", "网页："), filepath.Join(folder.Path(), benchPage))
	fmt.Fprintf(w, "%s%s\n", l.Pick("Samples: ", "样本："), filepath.Join(folder.Path(), benchJSON))
	if !result.Whole() {
		return exitError(verdict.ExitIncomplete)
	}
	return nil
}

// asked checks the numbers, and returns the loads to measure in the order of reports.
func (f *benchFlags) asked() ([]string, error) {
	switch {
	case f.repetitions < 1 || f.repetitions > mostRepetitions:
		return nil, fmt.Errorf("--repetitions %d: give a number from 1 to %d", f.repetitions, mostRepetitions)
	case f.milliseconds < 1 || f.milliseconds > mostMilliseconds:
		return nil, fmt.Errorf("--milliseconds %d: give a number from 1 to %d", f.milliseconds, mostMilliseconds)
	}
	all, wanted := turns.Loads(), matrix.Names(strings.Join(f.loads, ","))
	if len(wanted) == 0 {
		return all, nil
	}
	for _, name := range wanted {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("there is no load %q; the loads are %s", name, strings.Join(all, " "))
		}
	}
	return slices.DeleteFunc(all, func(name string) bool { return !slices.Contains(wanted, name) }), nil
}

// subjects returns the targets in their order, with the names that reports give them.
func (f *benchFlags) subjects() (subjects []subject.Subject, names []string, err error) {
	add := func(name string, s subject.Subject) {
		if slices.Contains(names, name) {
			err = errors.Join(err, fmt.Errorf("%s is asked for twice; compare a target with another", name))
		}
		subjects, names = append(subjects, s), append(names, name)
	}
	for _, t := range f.targets {
		running := subject.Running{Target: t}
		if t == string(matrix.UserMode) {
			running.Arch = f.Arch
		}
		err = errors.Join(err, running.Check())
		add(t, running)
	}
	for _, name := range matrix.Names(strings.Join(f.cells, ",")) {
		s := selection{Selection: matrix.Selection{Cell: name}}
		cells, err := s.cells()
		if err != nil {
			return nil, nil, err
		}
		for _, c := range cells {
			add(c.Name, subject.Cell{Cell: c})
		}
	}
	if len(subjects) == 0 {
		add(string(matrix.Native), subject.Running{Target: string(matrix.Native)})
	}
	return subjects, names, err
}

// measure binds the targets and measures them in turns.
func (f *benchFlags) measure(ctx context.Context) (r load.Result, err error) {
	loads, err := f.asked()
	if err != nil {
		return r, err
	}
	subjects, names, err := f.subjects()
	if err != nil {
		return r, err
	}
	d := f.talk.display()
	defer d.Close()
	o := f.options(d.Sink)
	o.Programs = f.programs
	bench, err := workbench.Open(ctx, o)
	if err != nil {
		return r, err
	}
	bound, err := subject.Bind(ctx, bench, subjects)
	if err != nil {
		return r, err
	}
	defer func() {
		for _, b := range bound {
			err = errors.Join(err, b.Unchanged(ctx))
		}
		err = errors.Join(err, bound.Release())
	}()
	plan := turns.Plan{Loads: loads, Repetitions: f.repetitions, Milliseconds: f.milliseconds, Sink: d.Sink}
	engine := bench.Engine()
	for i, b := range bound {
		opened, err := engine.Open(ctx, b.Bound, io.Discard)
		if err != nil {
			return r, fmt.Errorf("%s: %w", names[i], err)
		}
		plan.Subjects = append(plan.Subjects, turns.Subject{Name: names[i], Cell: b.Cell, Opened: opened})
	}
	r = load.Result{Revision: bench.Revision(ctx), Host: bench.Host, Started: time.Now(), Repetitions: f.repetitions, Milliseconds: f.milliseconds, Loads: loads}
	r.Before = turns.Before(ctx)
	if r.Targets, r.During, err = plan.Run(ctx); err != nil {
		return r, err
	}
	r.Finished = time.Now()
	r.Conclude()
	return r, nil
}
