package export

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/xuri/excelize/v2"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// The sheets have the titles of openEuler's forms: conf/excel_template of oecp, and the form for
// test cases of its technical-certification.
const (
	osvTitle = "OSV技术测评报告"
	osvCases = "测试用例"
	osvBlank = "（请填写）" // of what a run knows nothing
)

var (
	osvColumns  = []any{"测评维度", "检测项", "检测点描述", "测试结果", "结论"}
	caseColumns = []any{"用例名称", "用例编号", "测试目的", "预置条件", "测试步骤", "预期结果", "备注", "实际结果", "结论"}
)

// conclusions name the results of items, and the statuses of claims.
var conclusions = map[string]string{osvPass: "通过", osvFail: "不通过", osvIncomplete: "未完成", osvUnneeded: "不适用",
	string(verdict.Error): "出错", string(verdict.NotRun): "未运行"}

// maxCell is the longest text of a cell of a sheet, in bytes. Excel takes 32767 characters.
const maxCell = 2 << 10

// maxNamed is how many claims that failed an item names. The other sheet has all of them.
const maxNamed = 10

// book is a workbook that is written. Its first error stays.
type book struct {
	*excelize.File
	err                       error
	title, head, plain, wrong int                  // styles
	widths                    map[string][]float64 // of the columns of each sheet, in characters
}

func (b *book) try(err error) { b.err = cmp.Or(b.err, err) }

func (b *book) style(s excelize.Style) int {
	s.Alignment = &excelize.Alignment{WrapText: true, Vertical: "top"}
	for _, side := range []string{"left", "right", "top", "bottom"} {
		s.Border = append(s.Border, excelize.Border{Type: side, Style: 1, Color: "999999"})
	}
	n, err := b.NewStyle(&s)
	b.try(err)
	return n
}

// workbook writes the forms for one architecture.
func (in Input) workbook(e *evaluation) ([]byte, error) {
	b := &book{File: excelize.NewFile(), widths: map[string][]float64{}}
	defer b.Close()
	fill := func(colour string) excelize.Fill {
		return excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colour}}
	}
	b.title = b.style(excelize.Style{Font: &excelize.Font{Bold: true, Size: 16}})
	b.head = b.style(excelize.Style{Font: &excelize.Font{Bold: true}, Fill: fill("DDE6F0")})
	b.plain = b.style(excelize.Style{})
	b.wrong = b.style(excelize.Style{Font: &excelize.Font{Bold: true, Color: "A00000"}, Fill: fill("FBE3E3")})
	b.try(b.SetSheetName("Sheet1", osvTitle))
	_, err := b.NewSheet(osvCases)
	b.try(err)
	in.evaluation(b, e)
	in.cases(b, e)
	in.about(b)
	if b.err != nil {
		return nil, b.err
	}
	var out bytes.Buffer
	if err := b.Write(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// evaluation is the first sheet: the head of the form, and a row for each item.
func (in Input) evaluation(b *book, e *evaluation) {
	b.page(osvTitle, 6, 12, 26, 52, 56, 10)
	b.try(b.MergeCell(osvTitle, "A1", "E1"))
	b.row(osvTitle, 1, b.title, osvTitle)
	b.try(b.SetRowHeight(osvTitle, 1, 2*lineHeight))
	for i, h := range [][2]string{{"OSV版本", in.system(e)}, {"架构", e.arch}, {"发布地址", osvBlank}, {"checksum", sums(e)}} {
		at := i + 2
		b.try(b.MergeCell(osvTitle, fmt.Sprintf("B%d", at), fmt.Sprintf("E%d", at)))
		b.row(osvTitle, at, b.plain, h[0], cmp.Or(h[1], osvBlank))
		b.try(b.SetCellStyle(osvTitle, fmt.Sprintf("A%d", at), fmt.Sprintf("A%d", at), b.head))
		b.try(b.SetRowHeight(osvTitle, at, lineHeight*float64(1+strings.Count(h[1], "\n"))))
	}
	b.row(osvTitle, 6, b.head, osvColumns...)
	at := 7
	for _, i := range e.items() {
		about := fmt.Sprintf("%s（%d 条断言）", in.Suites[i.suite.Name].Chinese, i.suite.Counts.Total())
		b.row(osvTitle, at, b.plain, "平台验证", i.name, about, counted(i.suite.Counts)+failed(i.outcomes), conclude(result(i.suite.Decision)))
		at++
	}
	d := e.total()
	b.row(osvTitle, at, b.head, "总结论", "", cmp.Or(d.Chinese, d.Reason), counted(verdict.Count(e.outcomes)), conclude(result(d)))
}

// cases is the second sheet: a row for each claim on each cell.
func (in Input) cases(b *book, e *evaluation) {
	b.page(osvCases, 1, 24, 11, 46, 30, 40, 24, 46, 30, 10)
	b.row(osvCases, 1, b.head, caseColumns...)
	claims, cells := in.claims(), map[string]report.CellReport{}
	for _, c := range e.cells {
		cells[c.Name] = c
	}
	for i, o := range e.outcomes {
		c, cell := claims[o.Claim], cells[o.Cell]
		seen := o.Observed
		if o.Status != verdict.Pass && o.Status != verdict.Fail || seen == "" {
			seen = o.Reason
		}
		steps := "运行 " + summary.Repeat(in.Report, o.Cell, o.Claim)
		if o.Probe != "" {
			steps = fmt.Sprintf("探针 %s，步骤 %s\n", o.Probe, cmp.Or(o.Where.Step, "-")) + steps
		}
		at := i + 2
		b.row(osvCases, at, b.plain, o.Suite+" "+o.Claim+"（"+o.Cell+"）", o.Claim, c.Chinese,
			strings.TrimSpace(fmt.Sprintf("内核 %s\n%s %s", cell.Kernel.Release, cell.Runs(), cell.Accelerator)), steps, cmp.Or(o.Expected, "断言成立"),
			remark(o, c), cmp.Or(seen, "断言成立"), conclude(string(o.Status)))
	}
}

// remark says how binding a claim is, where it is from, and which record is about its failure.
func remark(o verdict.Outcome, c report.Claim) string {
	lines := []string{string(o.Level), "来源：" + c.Source}
	if o.Status == verdict.Fail && o.Reason != "" {
		lines = append(lines, "原因："+o.Reason)
	}
	if o.Accepted() {
		lines = append(lines, fmt.Sprintf("偏差：%s（%s）", o.Deviation.Reason, o.Deviation.Source))
	}
	if o.Known.Reason != "" {
		lines = append(lines, fmt.Sprintf("已知失败：%s（%s）", o.Known.Reason, o.Known.Link))
	}
	return strings.Join(lines, "\n")
}

// about has what differs from run to run, and nothing else does: the properties of the document.
func (in Input) about(b *book) {
	h := in.Report.Header
	made := h.Started.UTC().Format(time.RFC3339)
	b.try(b.SetDocProps(&excelize.DocProperties{Creator: line("mapstack " + h.Tool.Version), LastModifiedBy: "mapstack", Title: osvTitle, Created: made, Modified: made,
		Description: line(fmt.Sprintf("revision %s; SHA-256 of the evidence %s", h.Tool.Revision, h.Evidence))}))
}

// counted names the counts of a decision.
func counted(n verdict.Counts) string {
	return fmt.Sprintf("通过 %d，不通过 %d，出错 %d，不适用 %d，未运行 %d", n.Pass, n.Fail, n.Error, n.Unsupported, n.NotRun)
}

// failed names the claims of an item that failed, with what was expected and observed.
func failed(outcomes []verdict.Outcome) string {
	var b strings.Builder
	more := 0
	for _, o := range outcomes {
		switch {
		case o.Status != verdict.Fail:
			continue
		case strings.Count(b.String(), "\n") >= maxNamed:
			more++
			continue
		}
		fmt.Fprintf(&b, "\n%s（%s）：预期 %s，实际 %s", o.Claim, o.Level, foreign.Text(cut(o.Expected, 100)), foreign.Text(cut(o.Observed, 100)))
	}
	if more > 0 {
		fmt.Fprintf(&b, "\n另有 %d 条，见“%s”", more, osvCases)
	}
	return b.String()
}

// conclusion is the last cell of a row.
type conclusion struct {
	text  string
	wrong bool // it is marked by a colour too
}

func (c conclusion) String() string { return c.text }

// conclude names a result or a status.
func conclude(what string) conclusion {
	return conclusion{cmp.Or(conclusions[what], what), what != osvPass && what != osvUnneeded}
}

// page prepares a sheet: its columns, the rows that stay in view, and A4 on its side.
func (b *book) page(sheet string, head int, widths ...float64) {
	b.widths[sheet] = widths
	for i, w := range widths {
		name, err := excelize.ColumnNumberToName(i + 1)
		b.try(err)
		b.try(b.SetColWidth(sheet, name, name, w))
	}
	b.try(b.SetPanes(sheet, &excelize.Panes{Freeze: true, YSplit: head, TopLeftCell: fmt.Sprintf("A%d", head+1), ActivePane: "bottomLeft"}))
	a4, wide, tall, sideways, yes := 9, 1, 0, "landscape", true
	b.try(b.SetPageLayout(sheet, &excelize.PageLayoutOptions{Size: &a4, Orientation: &sideways, FitToWidth: &wide, FitToHeight: &tall}))
	b.try(b.SetSheetProps(sheet, &excelize.SheetPropsOptions{FitToPage: &yes}))
}

// row writes the cells of a row. All of them are texts, so that none is a formula.
func (b *book) row(sheet string, at, style int, cells ...any) {
	high := 1
	defer func() { b.try(b.SetRowHeight(sheet, at, min(lineHeight*float64(high), maxHeight))) }()
	for i, c := range cells {
		name, err := excelize.CoordinatesToCellName(i+1, at)
		b.try(err)
		said := foreign.Lines(cut(fmt.Sprint(c), maxCell))
		high = max(high, lines(said, b.widths[sheet][i]))
		b.try(b.SetCellStr(sheet, name, said))
		if w, is := c.(conclusion); is && w.wrong {
			b.try(b.SetCellStyle(sheet, name, name, b.wrong))
			continue
		}
		b.try(b.SetCellStyle(sheet, name, name, style))
	}
}

// Heights of rows, in points. Only Excel finds the height of wrapped texts itself; what shows
// or prints the file without it cuts them off.
const (
	lineHeight = 16
	maxHeight  = 409 // the highest that Excel takes
)

// lines estimates how many lines a text takes in a column of some characters. A line breaks
// between words, so it is not quite filled.
func lines(said string, width float64) (n int) {
	const filled = 0.9
	for _, l := range strings.Split(said, "\n") {
		n += max(1, int(math.Ceil(float64(text.StringWidthWithoutEscSequences(l))/(filled*width))))
	}
	return n
}
