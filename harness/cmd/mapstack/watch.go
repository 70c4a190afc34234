package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/changes"
	"github.com/mapstack/conformance/harness/judge/flakes"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/watch"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/debian"
)

// watchFlags holds the flags of `mapstack watch`.
type watchFlags struct {
	runFlags
	state string
	list  bool
}

func watchCommand() *cobra.Command {
	f := watchFlags{runFlags: runFlags{exit: "verdict", onward: onward{times: 1}}}
	cmd := &cobra.Command{
		Use: "watch", Short: "Run the cells that have a new kernel, and say what changed", Args: cobra.NoArgs,
		Long: "watch makes one pass, for cron and the schedules of CI systems. It asks which kernel each cell would have now:\n" +
			"the newest package of its archive or repository, or the file at its place. It runs the cells whose kernel is\n" +
			"another one than in the state file, and shows what changed against the last run of each. The first pass runs\n" +
			"every cell. A cell that could not be run, because of an error that is not the kernel's, runs again in the next\n" +
			"pass. It ends with 0 if no kernel is new, and else as the run does; also with 1 if something got worse.",
		RunE: func(cmd *cobra.Command, _ []string) error { return f.watch(cmd) },
	}
	f.selection.flags(cmd)
	f.matrixFlag(cmd)
	f.talk.flags(cmd)
	f.drawing.flags(cmd)
	set := cmd.Flags()
	set.StringVar(&f.os, "os", "", watchOSUsage)
	set.StringVar(&f.out, "out", "out", "folder for evidence and reports")
	set.StringVar(&f.state, "state", "mapstack-watch.json", stateUsage)
	set.BoolVar(&f.list, "list", false, watchListUsage)
	set.BoolVar(&f.strict, "strict", false, strictUsage)
	f.output.flags(cmd)
	return cmd
}

// Usages of the flags of watch alone.
const (
	stateUsage     = "file that remembers which kernel each cell had, and where its last run is"
	watchListUsage = "show which cells have a new kernel, run none, and leave the state file as it is; -o json for other programs"
	watchOSUsage   = "watch the products of this operating system whose images you supply, such as kylin or uos"
)

// noticed is what a pass found, and what `mapstack watch --list` writes as JSON.
type noticed struct {
	Schema string        `json:"schema"`
	New    []newKernel   `json:"new"`
	Same   []string      `json:"same"` // cells whose kernel is the one that they had
	Failed []uncheckable `json:"failed"`
	// Unwatched are cells that are never run, because nothing names their kernel before.
	Unwatched []string `json:"unwatched"`
}

// newKernel is a cell with another kernel than it had.
type newKernel struct {
	Cell string `json:"cell"`
	Was  string `json:"was,omitempty"` // empty if the cell was not run before
	Is   string `json:"is"`
}

// uncheckable is a cell of which nobody could say which kernel it would have.
type uncheckable struct {
	Cell  string `json:"cell"`
	Error string `json:"error"`
}

// watch makes one pass.
func (f *watchFlags) watch(cmd *cobra.Command) (err error) {
	asJSON, err := f.output.json()
	if err == nil && asJSON && !f.list {
		err = errors.New("--output json is about --list; give both")
	}
	if err != nil {
		return err
	}
	if f.focus, f.Skip, err = leaveOut("", f.Skip); err != nil {
		return err
	}
	if f.focus != "" {
		return fmt.Errorf("--skip leaves out %s, and the runs that watch compares are about all claims; leave out cells alone", strings.ReplaceAll(f.focus, "!", ""))
	}
	c, err := f.subjects()
	if err != nil {
		return err
	}
	c.announce(cmd)
	state, err := watch.Open(f.state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	n, err := f.notice(cmd.Context(), c, state)
	if err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(cmd.OutOrStdout(), n)
	} else {
		_, err = fmt.Fprint(cmd.OutOrStdout(), n.text(tongue(cmd)))
	}
	status := verdict.ExitConformant
	if len(n.Failed) > 0 {
		status = verdict.ExitInfrastructure
	}
	if err != nil || f.list || len(n.New) == 0 {
		return errors.Join(err, statusError(status))
	}
	ran, err := f.renew(cmd, c, state, n)
	if err != nil {
		return err
	}
	return statusError(flakes.Worst([]int{status, ran}))
}

// notice finds out which cells have a new kernel.
func (f *watchFlags) notice(ctx context.Context, c chosen, state *watch.State) (n noticed, err error) {
	d := f.talk.display()
	defer d.Close()
	o := f.selection.options(d.Sink)
	o.Guestless = f.list
	bench, err := workbench.Open(ctx, o)
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, bench.Close()) }()
	n = noticed{Schema: outputSchema, New: []newKernel{}, Same: []string{}, Failed: []uncheckable{}, Unwatched: []string{}}
	now := map[string]string{}
	var unreachable error
	for _, s := range c.subjects {
		name := nameOf(s)
		identity, err := "", unreachable
		if _, archived := s.(subject.Cell); err == nil || !archived {
			identity, err = subject.Identity(ctx, bench, s)
		}
		switch {
		case ctx.Err() != nil:
			return n, ctx.Err()
		case errors.Is(err, subject.ErrUnwatched):
			n.Unwatched = append(n.Unwatched, name)
		case err != nil:
			if errors.Is(err, debian.ErrUnreachable) {
				unreachable = err // asking it again for each cell would take minutes
			}
			n.Failed = append(n.Failed, uncheckable{name, progress.Brief(err)})
		default:
			now[name] = identity
		}
	}
	changed := map[string]bool{}
	for _, ch := range state.Changed(now) {
		changed[ch.Cell] = true
		n.New = append(n.New, newKernel(ch))
	}
	for name := range now {
		if !changed[name] {
			n.Same = append(n.Same, name)
		}
	}
	slices.Sort(n.Same)
	return n, nil
}

// text says what a pass found.
func (n noticed) text(l language.Language) string {
	var b strings.Builder
	if len(n.New) > 0 {
		t := columns()
		t.AppendRow(table.Row{l.Pick("CELL", "单元"), l.Pick("NEW KERNEL", "新内核"), l.Pick("BEFORE", "之前")})
		for _, k := range n.New {
			t.AppendRow(table.Row{k.Cell, k.Is, cmp.Or(k.Was, l.Pick("not run before", "此前未运行"))})
		}
		b.WriteString(t.Render() + "\n")
	}
	for _, u := range n.Failed {
		fmt.Fprintf(&b, l.Pick("%s could not be checked: %s\n", "无法检查 %s：%s\n"), u.Cell, u.Error)
	}
	if len(n.Unwatched) > 0 {
		fmt.Fprintf(&b, l.Pick("Not watched, because nothing names their kernels before they run: %s\n", "未监视（运行之前无从得知其内核）：%s\n"), strings.Join(n.Unwatched, " "))
	}
	fmt.Fprintf(&b, l.Pick("New kernels: %d. The same as before: %d.\n", "新内核：%d 个。与之前相同：%d 个。\n"), len(n.New), len(n.Same))
	return b.String()
}

// renew runs the cells that have a new kernel, shows what changed, and remembers their kernels. It
// returns the exit status.
func (f *watchFlags) renew(cmd *cobra.Command, c chosen, state *watch.State, n noticed) (int, error) {
	kernels, names := map[string]string{}, []string{}
	for _, k := range n.New {
		kernels[k.Cell], names = k.Is, append(names, k.Cell)
	}
	c.subjects = only(c.subjects, names)
	f.recorded, f.repeated = asked(cmd), repeated(cmd)
	if f.os == "" {
		f.recorded["cell"] = []string{strings.Join(names, ",")}
	}
	before, lost := lastRuns(state, names)
	folder, results, r, err := f.report(cmd.Context(), c, nil)
	if err != nil {
		return 0, err
	}
	w, style := cmd.OutOrStdout(), f.style(cmd, f.strict)
	fmt.Fprintln(w)
	if err := draw(cmd, style, r); err != nil {
		return 0, err
	}
	if err := altered(results); err != nil {
		return 0, err
	}
	showPlaces(w, folder.Path(), r, style.Language)
	fmt.Fprint(w, end(style, r))
	for _, why := range lost {
		fmt.Fprintf(w, style.Language.Pick("\nNothing is compared with an earlier run: %s\n", "\n没有与早前的运行比较：%s\n"), why)
	}
	status, err := changedSince(w, folder.Path(), before, r, f.status(r), style.Language)
	if err != nil {
		return 0, err
	}
	for i, cell := range r.Cells {
		if results[i].Ended() && cell.Verdict.ExitCode != verdict.ExitInfrastructure {
			state.Remember(cell.Name, cmp.Or(subject.Ran(results[i]), kernels[cell.Name]), folder.Path())
		}
	}
	return status, state.Save()
}

// lastRuns judges the last run of each cell, as one report. lost says which of them cannot be
// read any more.
func lastRuns(state *watch.State, names []string) (before report.Report, lost []string) {
	judged := map[string]report.Report{}
	for _, name := range names {
		last, known := state.Cells[name]
		if !known {
			continue
		}
		r, read := judged[last.Run]
		if !read {
			var err error
			if r, err = judgedAt(last.Run); err != nil {
				lost = append(lost, progress.Brief(err))
			}
			judged[last.Run] = r
		}
		if one, err := changes.Narrow(r, name); err == nil {
			before.Cells = append(before.Cells, one.Cells...)
			before.Outcomes = append(before.Outcomes, one.Outcomes...)
		}
	}
	return before, lost
}

// changedSince shows what changed against the last runs, writes that beside the report, and
// returns the exit status as `mapstack run --baseline` does.
func changedSince(w io.Writer, folder string, before, r report.Report, status int, l language.Language) (int, error) {
	if len(before.Cells) == 0 {
		return status, nil
	}
	known := report.Report{Claims: r.Claims, Header: r.Header}
	for _, c := range r.Cells { // a cell without a last run has nothing to compare
		if slices.ContainsFunc(before.Cells, func(b report.CellReport) bool { return b.Name == c.Name }) {
			known.Cells = append(known.Cells, c)
		}
	}
	for _, o := range r.Outcomes {
		if slices.ContainsFunc(known.Cells, func(c report.CellReport) bool { return c.Name == o.Cell }) {
			known.Outcomes = append(known.Outcomes, o)
		}
	}
	return compared(w, folder, before, known, status, l, l.Pick("\nAgainst the last run of each cell:\n\n", "\n与各单元上一次运行比较：\n\n"))
}
