// Package summary draws a report for a terminal.
package summary

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// Style says how a report is drawn.
type Style struct {
	Language language.Language
	// Wide draws a column for each suite. Without it, the table of cells fits into 80
	// columns.
	Wide bool
	// Colour marks verdicts and statuses with colours, besides their words.
	Colour bool
	// Strict says that known failures count.
	Strict bool
}

// say returns a text in the language of the style. Both formats take the same arguments.
func (s Style) say(english, chinese string, args ...any) string {
	format := s.Language.Pick(english, chinese)
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// Write draws a table of cells, then every problem, then the tiers of an architecture, then
// the verdict.
func (s Style) Write(w io.Writer, r report.Report) error {
	var b strings.Builder
	if r.Defect != nil {
		b.WriteString(s.say("DEFECT INJECTED: %s\n    %s\n", "注入了缺陷：%s\n    %s\n", r.Defect.Name, s.Language.Pick(r.Defect.English, r.Defect.Chinese)))
		b.WriteString(s.say("Below is how a kernel with this defect is judged. It says nothing of the kernels that are named, and certifies nothing.\n\n",
			"下面是带有这个缺陷的内核会得到的结果。它不能说明所列内核的任何问题，也不构成认证。\n\n"))
		for _, where := range r.Defect.Unseen {
			b.WriteString(s.say("The defect cannot show %s.\n\n", "缺陷在此处显现不出来：%s。\n\n", where))
		}
	}
	b.WriteString(s.emulator(r))
	b.WriteString(s.cells(r))
	b.WriteString(s.problems(r))
	b.WriteString(s.retries(r))
	b.WriteString(s.records(r))
	b.WriteString(s.lacking(r))
	b.WriteString(s.sideBySide(r))
	fmt.Fprintf(&b, "\n%s%s\n", s.Word(r), s.say(": %s.", "：%s。", s.Language.Pick(r.Verdict.Reason, cmp.Or(r.Verdict.Chinese, r.Verdict.Reason))))
	if r.Product != nil {
		b.WriteString(s.say("Product: %s.\n", "产品：%s。\n", r.Product))
	}
	if r.Defect != nil {
		b.WriteString(s.say("This is the verdict on the injected defect %s, not on a kernel.\n", "这是对注入的缺陷 %s 的结论，不是对内核的结论。\n", r.Defect.Name))
	}
	if r.Focus != "" {
		b.WriteString(s.say("%s was asked for; this says nothing of the other claims.\n", "%s；不能说明其他断言。\n", Part(s.Language, r.Focus, func(names string) string { return names })))
	}
	drawn := b.String()
	if s.Colour {
		drawn = paint(foreign.Lines(drawn))
	}
	if _, err := io.WriteString(w, drawn); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// focusName matches the names and patterns in a focus.
var focusName = regexp.MustCompile(`^[A-Za-z0-9*?\[\]^-]+$`)

// Part says in words which claims a focus means: "Only clone without CL-003", or "Everything but
// clone". mark marks the names.
func Part(l language.Language, focus string, mark func(string) string) string {
	var in, out []string
	for _, word := range strings.FieldsFunc(focus, func(r rune) bool { return r == ',' || r == ' ' }) {
		name, left := strings.CutPrefix(word, "!")
		if !focusName.MatchString(name) { // evidence may be anybody's
			return fmt.Sprintf(l.Pick("Only %s", "只要求判定 %s"), mark(focus))
		}
		if left {
			out = append(out, name)
		} else {
			in = append(in, word)
		}
	}
	asked, left := strings.Join(in, ","), strings.Join(out, ",")
	switch {
	case left == "":
		return fmt.Sprintf(l.Pick("Only %s", "只要求判定 %s"), mark(focus))
	case asked == "":
		return fmt.Sprintf(l.Pick("Everything but %s", "要求判定除 %s 之外的一切"), mark(left))
	}
	return fmt.Sprintf(l.Pick("Only %s without %s", "只要求判定 %s（不含 %s）"), mark(asked), mark(left))
}

// Word names the verdict so that it agrees with the exit status of the run.
func (s Style) Word(r report.Report) string {
	switch code := r.ExitCode(s.Strict); {
	case r.Verdict.ExitCode == verdict.ExitInfrastructure:
		return s.say("ERROR", "出错")
	case r.Verdict.Verdict == verdict.NonConformant && code == verdict.ExitConformant:
		return s.say("NON-CONFORMANT, AS KNOWN", "不符合，与已知一致")
	}
	return strings.ToUpper(s.verdict(r.Verdict.Verdict))
}

// verdict names a verdict.
func (s Style) verdict(v verdict.Verdict) string {
	chinese := map[verdict.Verdict]string{verdict.Conformant: "符合", verdict.NonConformant: "不符合", verdict.Incomplete: "不完整"}
	return s.Language.Pick(string(v), cmp.Or(chinese[v], string(v)))
}

// End says with which status a run ends and why, if records of known failures are about it;
// "" if it ends with its verdict.
func (s Style) End(r report.Report) string {
	if r.End == nil {
		return ""
	}
	why := s.Language.Pick(r.End.Reason, cmp.Or(r.End.Chinese, r.End.Reason))
	switch code := r.ExitCode(s.Strict); {
	case s.Strict && code != r.End.ExitCode:
		return s.say("The exit status is %d, because known failures count too (STRICT=1, --strict).\n",
			"退出码是 %d，因为已知失败也计算在内（STRICT=1、--strict）。\n", code)
	case r.End.ExitCode == verdict.ExitConformant && r.End.Known > 0:
		return s.say("The exit status is 0: %s. STRICT=1 or --strict makes it %d.\n",
			"退出码是 0：%s。使用 STRICT=1 或 --strict 时是 %d。\n", why, r.ExitCode(true))
	default:
		return s.say("The exit status is %d: %s.\n", "退出码是 %d：%s。\n", code, why)
	}
}

// lacking lists what the systems do not have, with the claims that each feature took. A verdict is about the others.
func (s Style) lacking(r report.Report) string {
	if len(r.Lacks) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(s.say("\nWhat the systems lack, and the claims that do not apply without it:\n", "\n系统缺少的功能，以及因此不适用的断言：\n"))
	for _, l := range r.Lacks {
		first, _, _ := strings.Cut(l.Reason, "\n")
		fmt.Fprintf(&b, "    %s  %s: %s\n        %s\n", l.Cell, l.Feature, s.shortened(l.Claims), first)
	}
	return b.String()
}

// retries lists what was tried again; "" if nothing was.
func (s Style) retries(r report.Report) string {
	if len(r.Header.Retries) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(s.say("\nTried again with a fresh guest (%d):\n", "\n换新客户机重试过（%d）：\n", len(r.Header.Retries)))
	for _, t := range r.Header.Retries {
		what := s.say("the start of a guest", "启动客户机")
		if t.Probe != "" {
			what = s.say("probe %s", "探针 %s", t.Probe)
		}
		fmt.Fprintf(&b, "    %s  %s: %s: %s\n", t.Cell, what, t.Kind, t.Reason)
	}
	return b.String()
}

// shortened returns the first IDs of a list and how many more there are.
func (s Style) shortened(ids []string) string {
	const shown = 8
	if len(ids) <= shown {
		return strings.Join(ids, " ")
	}
	return s.say("%s and %d more", "%s 等，另有 %d 条", strings.Join(ids[:shown], " "), len(ids)-shown)
}

// emulator names the user-mode emulator that a report is about; "" for none.
func (s Style) emulator(r report.Report) string {
	if !r.Emulated() {
		return ""
	}
	var b strings.Builder
	b.WriteString(s.say("USER-MODE EMULATOR: %s.\n", "用户态模拟器：%s。\n", s.Language.Pick(report.UserModeNote, report.UserModeNoteChinese)))
	for _, q := range r.Header.QEMU {
		if q.Command != "" {
			b.WriteString(s.say("    %s: version %s, from %s, SHA-256 %.12s: %s\n", "    %s：版本 %s，来自 %s，SHA-256 %.12s：%s\n",
				q.Arch, q.Version, q.Source, q.Build, q.Command))
		}
	}
	return b.String() + "\n"
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
