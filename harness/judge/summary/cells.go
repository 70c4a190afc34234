package summary

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/harness/judge/overview"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// cells is the table of the cells, with what its numbers and marks mean.
func (s Style) cells(r report.Report) string {
	if s.Wide {
		return s.bySuite(r) + "\n" + s.say("Counts are pass/fail/error/unsupported/not-run.\n", "数字依次是 pass/fail/error/unsupported/not-run 的数量。\n") +
			"\n" + s.bySystem(r) + "\n"
	}
	return s.narrow(r) + "\n" + s.legend(r)
}

// columns is the width that the narrow table fits into, as terminals have it.
const columns = 80

// narrow is the table without suites. The release of the kernel gets the room that is left.
func (s Style) narrow(r report.Report) string {
	rows := []table.Row{{s.say("cell", "单元"), s.say("verdict", "结论"), s.say("kernel", "内核"), s.say("not pass", "非 pass"), s.say("seconds", "秒")}}
	for _, c := range r.Cells {
		n := c.Verdict.Counts
		rows = append(rows, table.Row{c.Name, s.verdict(c.Verdict.Verdict) + mark(r, c), orDash(c.Kernel.Release),
			fmt.Sprintf("%d/%d/%d/%d", n.Fail, n.Error, n.Unsupported, n.NotRun), seconds(r, c.Name)})
	}
	const kernel, least = 2, 8
	room := columns
	for i := range rows[0] {
		room -= 2 // the blanks around a column
		if i == kernel {
			continue
		}
		widest := 0
		for _, row := range rows {
			widest = max(widest, text.StringWidth(row[i].(string)))
		}
		room -= widest
	}
	t := plainTable(rows[0])
	for _, row := range rows[1:] {
		row[kernel] = shortened(row[kernel].(string), max(room, least))
		t.AppendRow(row)
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, Align: text.AlignRight}, {Number: 5, Align: text.AlignRight}})
	return t.Render()
}

// shortened returns a release that fits into a width. It is cut before a part of it, so that
// no number in it loses a digit.
func shortened(release string, width int) string {
	cut := release
	for text.StringWidth(cut) > width || len(cut) < len(release) && text.StringWidth(cut) > width-1 {
		end := strings.LastIndexAny(cut, "-+.~")
		if end <= 0 {
			return text.Snip(release, width, "…")
		}
		cut = cut[:end]
	}
	if len(cut) < len(release) {
		cut += "…"
	}
	return cut
}

// mark tells a cell that fails as everybody knows from another.
func mark(r report.Report, c report.CellReport) string {
	if r.AsKnown(c.Name) {
		return "*"
	}
	return ""
}

func (s Style) legend(r report.Report) string {
	said := s.say("not pass: fail/error/unsupported/not-run; --wide shows each suite.\n", "非 pass：fail/error/unsupported/not-run；--wide 显示每个套件。\n")
	for _, c := range r.Cells {
		if mark(r, c) != "" {
			return said + s.say("* as known: every MUST that fails is a known failure.\n", "* 与已知一致：失败的 MUST 都是已知失败。\n")
		}
	}
	return said
}

// bySuite is the table with a column for each suite.
func (s Style) bySuite(r report.Report) string {
	suites := suiteNames(r)
	// The verdict comes early: a narrow terminal wraps what is at the end.
	header := table.Row{s.say("cell", "单元"), s.say("verdict", "结论"), s.say("kernel", "内核"), s.say("accel", "加速器"), s.say("guests", "客户机"), s.say("seconds", "秒")}
	for _, name := range suites {
		header = append(header, name)
	}
	t := plainTable(header)
	for _, c := range r.Cells {
		row := table.Row{c.Name, s.Verdict(r, c), orDash(c.Kernel.Release), orDash(c.Accelerator), start(c), seconds(r, c.Name)}
		for _, name := range suites {
			row = append(row, counts(c, name))
		}
		t.AppendRow(row)
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 6, Align: text.AlignRight}})
	return t.Render()
}

// Overview arranges the cells of a report by system, kernel and architecture.
func (s Style) Overview(r report.Report) overview.Table[report.CellReport] {
	return overview.Of(r.Cells, func(c report.CellReport) overview.Place {
		return overview.Place{System: c.OS, Architecture: c.Arch, Release: c.Kernel.Release, Cell: c.Name}
	})
}

// bySystem is the table with a row for each system and series of kernels, and a column for each
// architecture.
func (s Style) bySystem(r report.Report) string {
	o := s.Overview(r)
	header := table.Row{s.say("system", "系统"), "Linux"}
	for _, name := range o.Architectures {
		header = append(header, name)
	}
	t := plainTable(header)
	for _, of := range o.Rows {
		// Cells at the same place have a line and their name each.
		for line, more := 0, true; more; line++ {
			row := table.Row{orDash(of.System), of.Series}
			if line > 0 {
				row = table.Row{"", ""}
			}
			more = false
			for _, kernels := range of.Kernels {
				switch {
				case line < len(kernels) && len(kernels) == 1:
					row = append(row, s.Verdict(r, kernels[0]))
				case line < len(kernels):
					row = append(row, kernels[line].Name+": "+s.Verdict(r, kernels[line]))
				case line == 0:
					row = append(row, "-")
				default:
					row = append(row, "")
				}
				more = more || line+1 < len(kernels)
			}
			t.AppendRow(row)
		}
	}
	return t.Render()
}

// Verdict names the verdict on a cell, and says if it is the known one.
func (s Style) Verdict(r report.Report, c report.CellReport) string {
	if r.AsKnown(c.Name) {
		return s.verdict(c.Verdict.Verdict) + s.say(", as known", "，与已知一致")
	}
	return s.verdict(c.Verdict.Verdict)
}

var (
	// headed are lines that begin with a status or a verdict.
	headed = regexp.MustCompile(`(?m)^(NON-CONFORMANT, AS KNOWN|FAIL, (?:AS KNOWN|ACCEPTED)|NON-CONFORMANT|CONFORMANT|INCOMPLETE|NOT-RUN|FAIL|ERROR|STALE|OVER|不符合，与已知一致|不符合|符合|不完整|出错)`)
	// rowed are rows of the table of cells.
	rowed = regexp.MustCompile(`(?m)^( [a-z0-9.-]+ +)(non-conformant\*?|conformant|incomplete|不符合\*?|符合|不完整)`)
)

// paint colours the words that say how something ended. The words stay, for those who see no
// colours.
func paint(drawn string) string {
	drawn = rowed.ReplaceAllStringFunc(drawn, func(line string) string {
		m := rowed.FindStringSubmatch(line)
		return m[1] + coloured(m[2])
	})
	return headed.ReplaceAllStringFunc(drawn, coloured)
}

func coloured(word string) string {
	colour := text.FgYellow
	switch plain := strings.ToLower(word); {
	case strings.HasSuffix(plain, "*") || strings.Contains(plain, "known") || strings.Contains(plain, "accepted") || strings.Contains(plain, "已知"):
	case plain == string(verdict.Conformant) || plain == "符合":
		colour = text.FgGreen
	case plain == string(verdict.NonConformant) || plain == string(verdict.Fail) || plain == "不符合":
		colour = text.FgRed
	}
	// Its own function would ask the environment, which the caller has done.
	return colour.EscapeSeq() + word + text.Reset.EscapeSeq()
}
