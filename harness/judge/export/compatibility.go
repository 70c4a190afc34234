package export

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/overview"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// Compatible is the name of the format of Compatibility.
const Compatible = "compatibility"

//go:embed compatibility.html
var compatibilityMarkup string

var compatibilityPage = template.Must(template.New("compatibility").Parse(compatibilityMarkup))

// maxKernels bounds the kernels on a page.
const maxKernels = 10_000

// tested is a kernel on a system, as one cell of the newest run that tested it shows it.
type tested struct {
	OS, Arch, Cell, Release         string
	Verdict, Class, Why, When, Tool string

	started time.Time
}

// compatibility is what the pages show. Every text is safe to show.
type compatibility struct {
	Lang, Title, Intro, DetailTitle string
	Head, DetailHead                []string
	overview.Table[tested]
}

// Compatibility writes a page that shows which kernel on which system and architecture conforms,
// as Markdown and as HTML. A kernel that several runs tested has the verdict of the newest one. The
// same reports in any order give the same bytes. An error names a report that says nothing of
// kernels, or of a part of the claims alone.
func Compatibility(reports []report.Report, l language.Language) ([]File, error) {
	newest := map[[4]string]tested{}
	for _, r := range reports {
		if err := wholly(r); err != nil {
			return nil, err
		}
		for _, c := range r.Cells {
			t := testedOn(r, c, l)
			key := [4]string{t.OS, t.Arch, t.Cell, t.Release}
			if was, known := newest[key]; !known || was.started.Before(t.started) || was.started.Equal(t.started) && was.Why < t.Why {
				newest[key] = t
			}
		}
		if len(newest) > maxKernels {
			return nil, fmt.Errorf("the runs tested more than %d kernels, which is the most that a page shows; give fewer runs", maxKernels)
		}
	}
	var all []tested
	for _, t := range newest {
		all = append(all, t)
	}
	p := arranged(all, l)
	var html bytes.Buffer
	if err := compatibilityPage.Execute(&html, p); err != nil {
		return nil, fmt.Errorf("write the compatibility page: %w", err)
	}
	return []File{{"compatibility.md", []byte(p.markdown())}, {"compatibility.html", html.Bytes()}}, nil
}

// wholly refuses a report that cannot say whether a kernel conforms.
func wholly(r report.Report) error {
	switch when := r.Header.Started.UTC().Format(time.DateTime); {
	case r.Defect != nil:
		return fmt.Errorf("the run of %s is under the injected defect %q and says nothing of kernels; leave it out", when, r.Defect.Name)
	case r.Emulated():
		return fmt.Errorf("the run of %s tested a user-mode emulator and no kernel; leave it out", when)
	case r.Focus != "":
		return fmt.Errorf("the run of %s is of %s alone, and a page is about all claims; leave it out", when, r.Focus)
	case len(r.Cells) == 0:
		return errors.New("a run has no cell; leave it out")
	}
	return nil
}

// testedOn returns what a cell of a report shows.
func testedOn(r report.Report, c report.CellReport, l language.Language) tested {
	v := c.Verdict
	t := tested{OS: foreign.Text(c.OS), Arch: foreign.Text(c.Arch), Cell: foreign.Text(c.Name), Release: foreign.Text(cmp.Or(c.Kernel.Release, "-")),
		Verdict: summary.Style{Language: l}.Verdict(r, c), Why: foreign.Text(l.Pick(v.Reason, cmp.Or(v.Chinese, v.Reason))),
		When: r.Header.Started.UTC().Format(time.DateOnly), Tool: foreign.Text(r.Header.Tool.Version), started: r.Header.Started}
	switch v.Verdict {
	case verdict.Conformant:
		t.Class = "good"
	case verdict.NonConformant:
		t.Class = "bad"
	default:
		t.Class = "open"
	}
	return t
}

// arranged puts kernels into rows and columns.
func arranged(all []tested, l language.Language) compatibility {
	at := func(t tested) overview.Place {
		return overview.Place{System: t.OS, Architecture: t.Arch, Release: t.Release, Cell: t.Cell}
	}
	p := compatibility{Table: overview.Of(all, at), Lang: string(l), Title: l.Pick("Which kernels treat Go's threads right", "哪些内核能正确支持 Go 的线程"),
		DetailTitle: l.Pick("Each kernel", "各内核"),
		DetailHead:  []string{l.Pick("Cell", "单元"), l.Pick("Architecture", "架构"), l.Pick("Kernel", "内核"), l.Pick("Verdict", "结论"), l.Pick("Reason", "理由"), l.Pick("Tested", "测试日期"), "mapstack"}}
	p.Intro = fmt.Sprintf(l.Pick("Kernel, operating system and architecture. Kernels: %d. Each has the verdict of the newest run that tested it. A dash means that none was tested.",
		"内核、操作系统与架构。内核：%d 个。每个内核采用最新一次测试它的运行的结论。短横线表示没有测试。"), len(all))
	p.Head = append([]string{l.Pick("Operating system", "操作系统"), l.Pick("Linux", "Linux")}, p.Architectures...)
	return p
}

// markdown writes the page as Markdown.
func (p compatibility) markdown() string {
	var b strings.Builder
	head := func(titles []string) { b.WriteString(tableHead(titles)) }
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", p.Title, p.Intro)
	titles := slices.Clone(p.Head)
	for i := 2; i < len(titles); i++ {
		titles[i] = code(titles[i])
	}
	head(titles)
	for _, r := range p.Rows {
		columns := []any{code(r.System), r.Series}
		for _, cells := range r.Kernels {
			var texts []string
			for _, t := range cells {
				text := "**" + t.Verdict + "** " + code(t.Release)
				if len(cells) > 1 {
					text += " " + code(t.Cell)
				}
				texts = append(texts, text)
			}
			columns = append(columns, cmp.Or(strings.Join(texts, "<br>"), "-"))
		}
		b.WriteString(row(columns...))
	}
	b.WriteString("\n## " + p.DetailTitle + "\n\n")
	head(p.DetailHead)
	for _, t := range p.Kernels {
		b.WriteString(row(code(t.Cell), code(t.Arch), code(t.Release), t.Verdict, plain(t.Why), t.When, code(t.Tool)))
	}
	return b.String()
}
