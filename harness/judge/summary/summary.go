// Package summary draws a report for a terminal.
package summary

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Write draws a table of cells and suites, then every problem, then the tiers of
// an architecture, then the verdict.
func Write(w io.Writer, r report.Report) error {
	var b strings.Builder
	if r.Defect != nil {
		fmt.Fprintf(&b, "DEFECT INJECTED: %s\n    %s\n    %s\n"+
			"Below is how a kernel with this defect is judged. It says nothing of the kernels that are named, and certifies nothing.\n\n",
			r.Defect.Name, r.Defect.English, r.Defect.Chinese)
		for _, where := range r.Defect.Unseen {
			b.WriteString("The defect cannot show " + where + ".\n\n")
		}
	}
	b.WriteString(emulator(r))
	b.WriteString(matrix(r) + "\n")
	b.WriteString("Counts are pass/fail/error/unsupported/not-run.\n")
	b.WriteString(problems(r))
	b.WriteString(retries(r))
	b.WriteString(records(r))
	b.WriteString(lacking(r))
	b.WriteString(sideBySide(r))
	fmt.Fprintf(&b, "\n%s: %s.\n", strings.ToUpper(string(r.Verdict.Verdict)), r.Verdict.Reason)
	if r.Defect != nil {
		fmt.Fprintf(&b, "This is the verdict on the injected defect %s, not on a kernel.\n", r.Defect.Name)
	}
	if r.Focus != "" {
		fmt.Fprintf(&b, "Only %s was asked for; this says nothing of the other claims.\n", r.Focus)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// End says with which status a run ends and why, if records of known failures are about it;
// "" if it ends with its verdict.
func End(r report.Report, strict bool) string {
	switch {
	case r.End == nil:
		return ""
	case strict && r.ExitCode(true) != r.End.ExitCode:
		return fmt.Sprintf("The exit status is %d, because known failures count too (STRICT=1, --strict).\n", r.ExitCode(true))
	case r.End.ExitCode == verdict.ExitConformant && r.End.Known > 0:
		return fmt.Sprintf("The exit status is 0: %s. STRICT=1 or --strict makes it %d.\n", r.End.Reason, r.ExitCode(true))
	}
	return fmt.Sprintf("The exit status is %d: %s.\n", r.ExitCode(strict), r.End.Reason)
}

// lacking lists what the systems do not have, with the claims that each feature took. A verdict is about the others.
func lacking(r report.Report) string {
	if len(r.Lacks) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nWhat the systems lack, and the claims that do not apply without it:\n")
	for _, l := range r.Lacks {
		first, _, _ := strings.Cut(l.Reason, "\n")
		fmt.Fprintf(&b, "    %s  %s: %s\n        %s\n", l.Cell, l.Feature, shortened(l.Claims), first)
	}
	return b.String()
}

// retries lists what was tried again; "" if nothing was.
func retries(r report.Report) string {
	if len(r.Header.Retries) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nTried again with a fresh guest (%d):\n", len(r.Header.Retries))
	for _, t := range r.Header.Retries {
		what := "the start of a guest"
		if t.Probe != "" {
			what = "probe " + t.Probe
		}
		fmt.Fprintf(&b, "    %s  %s: %s: %s\n", t.Cell, what, t.Kind, t.Reason)
	}
	return b.String()
}

// shortened returns the first IDs of a list and how many more there are.
func shortened(ids []string) string {
	const shown = 8
	if len(ids) <= shown {
		return strings.Join(ids, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:shown], " "), len(ids)-shown)
}

// emulator names the user-mode emulator that a report is about; "" for none.
func emulator(r report.Report) string {
	if !r.Emulated() {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "USER-MODE EMULATOR: %s.\n    用户态模拟器：%s。\n", report.UserModeNote, report.UserModeNoteChinese)
	for _, q := range r.Header.QEMU {
		if q.Command != "" {
			fmt.Fprintf(&b, "    %s: version %s, from %s, SHA-256 %.12s: %s\n", q.Arch, q.Version, q.Source, q.Build, q.Command)
		}
	}
	return b.String() + "\n"
}

// matrix is the table: a row for each cell, a column for each suite.
func matrix(r report.Report) string {
	suites := suiteNames(r)
	// The verdict comes early: a narrow terminal wraps what is at the end.
	header := table.Row{"cell", "verdict", "kernel", "accel", "guests", "seconds"}
	for _, s := range suites {
		header = append(header, s)
	}
	t := plainTable(header)
	for _, c := range r.Cells {
		row := table.Row{c.Name, Verdict(r, c), orDash(c.Kernel.Release), orDash(c.Accelerator), start(c), seconds(r, c.Name)}
		for _, s := range suites {
			row = append(row, counts(c, s))
		}
		t.AppendRow(row)
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "seconds", Align: text.AlignRight}})
	return t.Render()
}

// Verdict names the verdict on a cell, and says if it is the known one.
func Verdict(r report.Report, c report.CellReport) string {
	if r.AsKnown(c.Name) {
		return string(c.Verdict.Verdict) + ", as known"
	}
	return string(c.Verdict.Verdict)
}

func suiteNames(r report.Report) []string {
	var names []string
	for _, c := range r.Cells {
		for _, s := range c.Suites {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func seconds(r report.Report, cell string) string {
	s, ok := r.Header.Seconds[cell]
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.1f", s)
}

func start(c report.CellReport) string {
	if c.Guest == nil {
		return "-"
	}
	return orDash(c.Guest.Start)
}

func counts(c report.CellReport, suite string) string {
	for _, s := range c.Suites {
		if s.Name == suite {
			n := s.Counts
			return fmt.Sprintf("%d/%d/%d/%d/%d", n.Pass, n.Fail, n.Error, n.Unsupported, n.NotRun)
		}
	}
	return "-"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func plainTable(header table.Row) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.Options{SeparateHeader: true} // bars would make it wider than most terminals
	t.Style().Format.Header = text.FormatDefault            // names are lower case everywhere else
	t.SuppressTrailingSpaces()
	t.AppendHeader(header)
	return t
}
