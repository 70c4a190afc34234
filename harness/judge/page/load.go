package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/load"
	"github.com/mapstack/conformance/harness/language"
)

var (
	//go:embed load.html
	loadMarkup string
	//go:embed load.css
	loadStyle template.CSS
)

// measured is what the template of loads shows. Every text is safe to show.
type measured struct {
	load.Result
	Style        template.CSS
	Script       template.JS
	Chapter      load.Chapter
	Emulated     bool
	Caution      text
	Warnings     []text
	Rows         []loadRow
	Where        []text // of each target
	Explanations []because
	Figures      []figure
	Sizes        []text // of each row of stacks
}

// loadRow is one load on all targets.
type loadRow struct {
	Name  string
	About load.Text
	Rates plot
	Times plot
	Lines []loadLine
	Lacks []lacking
}

// lacking is why a load gave no number on a target.
type lacking struct {
	Target string
	Why    text
}

// loadLine is one load on one target.
type loadLine struct {
	Target   string
	Emulated bool
	load.Summary
	Compared *load.Comparison
}

// because is an explanation with what every target makes of it.
type because struct {
	load.Because
	Answers []answered
}

type answered struct {
	load.Explanation
	Class    string
	Word     text
	Emulated bool // and the answer is about time
}

// figure is a number of the article with what was measured beside it.
type figure struct {
	load.Figure
	Beside []beside
	Stacks bool
}

type beside struct {
	Target, Value string
	Emulated      bool
}

// WriteLoad writes what loads measured as one HTML file, which needs no other.
func WriteLoad(w io.Writer, r load.Result, c load.Chapter) error {
	t, err := template.New("load").Funcs(template.FuncMap{
		"hash": hash, "nanos": load.Nanos, "short": load.Short, "digits": load.Digits, "percent": func(x float64) string { return fmt.Sprintf("%.0f %%", 100*x) },
	}).Parse(loadMarkup)
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	m := measured{Result: r, Style: style + loadStyle, Script: changesScript, Chapter: c, Caution: both(load.Caution)}
	m.Emulated = slices.ContainsFunc(r.Targets, load.Target.Emulated)
	chinese := r.Disturbances(language.Chinese)
	for i, warning := range r.Disturbances(language.English) {
		m.Warnings = append(m.Warnings, text{foreign.Text(warning), foreign.Text(chinese[i])})
	}
	for _, t := range r.Targets {
		m.Where = append(m.Where, both(t.Where))
	}
	for _, s := range r.Stacks {
		m.Sizes = append(m.Sizes, both(func(l language.Language) string { return load.SizeIn(s.Size, l) }))
	}
	for _, name := range r.Loads {
		m.Rows = append(m.Rows, rowOf(r, c, name))
	}
	m.Explanations, m.Figures = becauses(r, c), figures(r, c)
	if err := t.Execute(w, m); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func rowOf(r load.Result, c load.Chapter, name string) loadRow {
	row := loadRow{Name: name, About: c.About(name)}
	for _, t := range r.Targets {
		run := t.Run(name)
		if run == nil {
			continue
		}
		if why := run.Why(language.English); why != "" {
			row.Lacks = append(row.Lacks, lacking{foreign.Text(t.Name), both(func(l language.Language) string { return foreign.Text(run.Why(l)) })})
		}
		if s, ok := run.Summary(); ok {
			row.Lines = append(row.Lines, loadLine{Target: foreign.Text(t.Name), Emulated: t.Emulated(), Summary: s, Compared: r.Comparison(name, t.Name)})
		}
	}
	row.Rates, row.Times = ratePlot(row.Lines), timePlot(row.Lines)
	return row
}

// emulatedTarget reports whether a target of that name is emulated.
func emulatedTarget(r load.Result, name string) bool {
	return slices.ContainsFunc(r.Targets, func(t load.Target) bool { return t.Name == name && t.Emulated() })
}

func becauses(r load.Result, c load.Chapter) (all []because) {
	for _, e := range c.Explanations {
		one := because{Because: e}
		for _, x := range r.Answers(e.ID) {
			class := map[load.Answer]string{load.Wrong: "wrong", load.Right: "right", load.Measured: "read"}[x.Answer]
			if class == "" {
				class = "open"
			}
			one.Answers = append(one.Answers, answered{x, class, both(x.Answer.In), x.Time && emulatedTarget(r, x.Target)})
		}
		if len(one.Answers) > 0 {
			all = append(all, one)
		}
	}
	return all
}

func figures(r load.Result, c load.Chapter) (all []figure) {
	for _, f := range c.Figures {
		one := figure{Figure: f, Stacks: f.ID == "stacks" && len(r.Stacks) > 0}
		for _, t := range r.Targets {
			if value := f.Beside(t); value != "" {
				one.Beside = append(one.Beside, beside{foreign.Text(t.Name), value, t.Emulated()})
			}
		}
		if len(one.Beside) > 0 || one.Stacks {
			all = append(all, one)
		}
	}
	return all
}
