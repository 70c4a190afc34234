package export

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/overview"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// A summary of a job may have 1 MiB on GitHub, and a note 1,000,000 characters on GitLab. These
// are the bytes that each part may have. Together they stay below both.
const (
	roomNotes       = 40_000
	roomCells       = 200_000
	roomOverview    = 60_000
	roomProblems    = 340_000
	roomRecords     = 40_000
	roomUnsupported = 100_000
	roomTested      = 100_000
	roomRun         = 60_000
)

// maxShown is the longest text that is shown on one line, and maxWhole the longest of several
// lines, in bytes. The report has all of them.
const (
	maxShown = 1000
	maxWhole = 4 << 10
)

// page is a summary in Markdown.
type page struct {
	Input
	style summary.Style
	b     strings.Builder
}

// markdown writes a summary for the page of a CI job, or a note on a merge request.
func markdown(in Input) ([]File, error) {
	p := page{Input: in, style: summary.Style{Language: in.Language, Strict: in.Strict}}
	p.verdict()
	p.cells()
	p.overview()
	p.problems()
	p.records()
	p.unsupported()
	p.tested()
	p.run()
	return []File{{"summary.md", []byte(p.b.String())}}, nil
}

func (p *page) say(english, chinese string, args ...any) string {
	if text := p.Language.Pick(english, chinese); len(args) > 0 {
		return fmt.Sprintf(text, args...)
	} else {
		return text
	}
}

// write writes the part of each thing while there is room, and how many are left out. The parts
// of these are not made: there may be any number of them.
func write[T any](p *page, room int, things []T, part func(T) string) {
	for i, one := range things {
		text := part(one)
		if room -= len(text); room < 0 {
			p.b.WriteString(p.say("\n%d more are left out here; the report has them.\n", "\n此处略去 %d 项；报告中有全部内容。\n", len(things)-i))
			return
		}
		p.b.WriteString(text)
	}
}

// same is the part of a thing that is one.
func same(s string) string { return s }

// table begins a table.
func (p *page) table(titles ...string) { p.b.WriteString(tableHead(titles)) }

// tableHead is the first two rows of a table.
func tableHead(titles []string) string {
	columns := make([]any, len(titles))
	for i, t := range titles {
		columns[i] = t
	}
	return fmt.Sprintf("%s|%s\n", row(columns...), strings.Repeat("---|", len(titles)))
}

// folded writes a part that a reader opens.
func (p *page) folded(title string, write func()) {
	fmt.Fprintf(&p.b, "\n<details>\n<summary>%s</summary>\n\n", title)
	write()
	p.b.WriteString("\n</details>\n")
}

// verdict is the first lines: what came out, and what a reader must know of it.
func (p *page) verdict() {
	r := p.Report
	fmt.Fprintf(&p.b, "## %s%s\n\n", p.style.Word(r), p.say(": %s.", "：%s。", plain(p.Language.Pick(r.Verdict.Reason, cmp.Or(r.Verdict.Chinese, r.Verdict.Reason)))))
	var notes []string
	note := func(text string) { notes = append(notes, text+"\n\n") }
	if d := r.Defect; d != nil {
		note(p.say("**This is the verdict on the injected defect %s, not on a kernel**: %s", "**这是对注入的缺陷 %s 的结论，不是对内核的结论**：%s",
			code(d.Name), plain(p.Language.Pick(d.English, d.Chinese))))
		for _, where := range d.Unseen {
			note(p.say("The defect cannot show: %s", "缺陷在此处显现不出来：%s", code(where)))
		}
	}
	if r.Product != nil {
		note(p.say("Product: %s", "产品：%s", code(r.Product.String())))
	}
	if r.Emulated() {
		note(p.say("**User-mode emulator**: %s.", "**用户态模拟器**：%s。", p.Language.Pick(report.UserModeNote, report.UserModeNoteChinese)))
	}
	if r.Focus != "" {
		note(p.say("%s was asked for; this says nothing of the other claims.", "%s；不能说明其他断言。", summary.Part(p.Language, r.Focus, code)))
	}
	if end := p.style.End(r); end != "" {
		note(plain(strings.TrimSpace(end)))
	}
	write(p, roomNotes, notes, same)
}

// cells is the table of the cells.
func (p *page) cells() {
	known := false
	p.table(p.say("cell", "单元"), p.say("verdict", "结论"), p.say("kernel", "内核"), "pass", "fail", "error", "unsupported", "not-run")
	write(p, roomCells, p.Report.Cells, func(c report.CellReport) string {
		known = known || p.Report.AsKnown(c.Name)
		n := c.Verdict.Counts
		return row(code(c.Name), p.style.Verdict(p.Report, c), code(c.Kernel.Release), n.Pass, n.Fail, n.Error, n.Unsupported, n.NotRun)
	})
	if known {
		p.b.WriteString(p.say("\nAs known: every MUST that fails is a known failure.\n", "\n与已知一致：失败的 MUST 都是已知失败。\n"))
	}
}

// overview is the table of systems, kernels and architectures.
func (p *page) overview() {
	t := p.style.Overview(p.Report)
	fmt.Fprintf(&p.b, "\n### %s\n\n", p.say("System, kernel and architecture", "系统、内核与架构"))
	titles := []string{p.say("system", "系统"), "Linux"}
	for _, name := range t.Architectures {
		titles = append(titles, code(name))
	}
	p.table(titles...)
	write(p, roomOverview, t.Rows, func(r overview.Row[report.CellReport]) string {
		columns := []any{code(r.System), r.Series}
		for _, kernels := range r.Kernels {
			var texts []string
			for _, c := range kernels {
				texts = append(texts, code(c.Name)+" "+p.style.Verdict(p.Report, c))
			}
			columns = append(columns, cmp.Or(strings.Join(texts, "<br>"), "-"))
		}
		return row(columns...)
	})
}

// problems lists what is neither pass nor unsupported, with the command that repeats it.
func (p *page) problems() {
	entries := summary.Entries(p.Report)
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(&p.b, "\n### %s\n", p.say("What failed or was not decided: %d", "失败或没有判定的：%d", len(entries)))
	claims := p.claims()
	write(p, roomProblems, entries, func(e *summary.Entry) string { return p.problem(e, claims) })
}

func (p *page) problem(e *summary.Entry, claims map[string]report.Claim) string {
	var b strings.Builder
	o := e.First
	what := p.say("%d claims: %s", "%d 条断言：%s", len(e.Claims), p.shortened(e.Claims))
	if len(e.Claims) == 1 {
		c := claims[o.Claim]
		what = fmt.Sprintf("%s %s: %s", plain(o.Claim), o.Level, plain(cut(p.Language.Pick(c.English, c.Chinese), maxShown)))
	}
	fmt.Fprintf(&b, "\n**%s** %s %s\n\n| | |\n|---|---|\n", summary.Heading(o), code(o.Cell), what)
	line := func(name, text string) {
		if text != "" {
			b.WriteString(row(name, text))
		}
	}
	first, more, _ := strings.Cut(o.Reason, "\n")
	if o.Status == verdict.Fail && o.Expected != "" {
		line(p.say("expected", "预期"), code(o.Expected))
		line(p.say("observed", "实际"), code(o.Observed))
	}
	line(p.say("reason", "原因"), code(first))
	if o.Known.Reason != "" {
		line(p.say("known", "已知"), code(fmt.Sprintf("%s (%s)", o.Known.Reason, o.Known.Link)))
	}
	if o.Accepted() {
		line(p.say("deviation", "偏差"), code(fmt.Sprintf("%s (%s)", o.Deviation.Reason, o.Deviation.Source)))
	}
	line(p.say("again", "重新运行"), code(e.Again(p.Report)))
	if more != "" {
		fmt.Fprintf(&b, "\n<details>\n<summary>%s</summary>\n\n%s\n</details>\n", p.say("all of the reason", "完整的原因"), block(o.Reason))
	}
	return b.String()
}

// records lists the records of known failures that must go.
func (p *page) records() {
	var parts []string
	for _, o := range p.Report.Outcomes {
		if advice := o.Advice(); advice != "" {
			parts = append(parts, "- "+code(advice)+"\n")
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(&p.b, "\n### %s\n\n", p.say("Records of known failures that must be changed: %d", "需要修改的已知失败条目：%d", len(parts)))
		write(p, roomRecords, parts, same)
	}
}

// unsupported lists the claims that do not apply, by the reason why.
func (p *page) unsupported() {
	type group struct{ claims, cells map[string]bool }
	groups, count := map[string]group{}, 0
	for _, o := range p.Report.Outcomes {
		if o.Status != verdict.Unsupported {
			continue
		}
		count++
		first, _, _ := strings.Cut(o.Reason, "\n")
		if groups[first].claims == nil {
			groups[first] = group{map[string]bool{}, map[string]bool{}}
		}
		groups[first].claims[o.Claim], groups[first].cells[o.Cell] = true, true
	}
	if count == 0 {
		return
	}
	p.folded(p.say("Claims that do not apply: %d", "不适用的断言：%d", count), func() {
		p.table(p.say("reason", "原因"), p.say("claims", "断言"), p.say("cells", "单元"))
		write(p, roomUnsupported, slices.Sorted(maps.Keys(groups)), func(why string) string {
			g := groups[why]
			return row(code(why), p.shortened(slices.Sorted(maps.Keys(g.claims))), p.shortened(slices.Sorted(maps.Keys(g.cells))))
		})
	})
}

// tested lists what each cell is made of.
func (p *page) tested() {
	p.folded(p.say("What was tested", "测试的对象"), func() {
		p.table(p.say("cell", "单元"), p.say("system", "系统"), p.say("kernel package or file", "内核软件包或文件"), "SHA-256", p.say("machine", "机器"), p.say("accelerator", "加速器"))
		write(p, roomTested, p.Report.Cells, func(c report.CellReport) string {
			return row(code(c.Name), code(c.OS), code(source(c)), code(checksum(c)), code(c.Runs()), code(c.Accelerator))
		})
	})
}

// run has what differs from run to run, and nothing else does.
func (p *page) run() {
	h := p.Report.Header
	rows := []string{
		row("mapstack", code(h.Tool.Version+" "+h.Tool.Revision)),
		row(p.say("started", "开始"), h.Started.Format("2006-01-02 15:04:05 UTC")),
		row(p.say("finished", "结束"), h.Finished.Format("2006-01-02 15:04:05 UTC")),
		row(p.say("SHA-256 of the evidence", "证据的 SHA-256"), code(h.Evidence)),
	}
	for _, q := range h.QEMU {
		rows = append(rows, row("QEMU", code(q.Arch+" "+q.Version)))
	}
	for _, w := range h.Warnings {
		rows = append(rows, row(p.say("warning", "警告"), code(w)))
	}
	for _, t := range h.Retries {
		rows = append(rows, row(p.say("tried again", "重试"), code(strings.Join([]string{t.Cell, t.Probe, t.Kind, t.Reason}, " "))))
	}
	p.folded(p.say("The run", "运行"), func() {
		p.table("", "")
		write(p, roomRun, rows, same)
	})
}

// shortened returns the first names of a list, and how many more there are.
func (p *page) shortened(names []string) string {
	const shown = 8
	if len(names) <= shown {
		return code(strings.Join(names, " "))
	}
	return p.say("%s and %d more", "%s 等，另有 %d 个", code(strings.Join(names[:shown], " ")), len(names)-shown)
}
