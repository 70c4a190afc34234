// Package page writes a report as one HTML file, for people. The file needs no network and no
// other file.
package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/article"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/overview"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

var (
	//go:embed page.html
	markup string
	//go:embed article.html
	articleMarkup string
	//go:embed page.css
	style template.CSS
	//go:embed page.js
	script template.JS
)

// shown is what the template shows.
type shown struct {
	report.Report
	Style   template.CSS
	Script  template.JS
	Data    data
	Cells   []cell // with what is shown of each
	Systems overview.Table[cell]
	Exit    int
	Excused bool // the run ends with 0, although a kernel does not conform
	Article *statements
}

// Versions and Accelerators list what is named once for all cells.
func (s shown) Versions() string {
	return listed(s.Header.QEMU, func(q report.QEMU) string { return q.Version })
}

func (s shown) Accelerators() string {
	return listed(s.Cells, func(c cell) string { return c.Accelerator })
}

func listed[T any](from []T, name func(T) string) string {
	var all []string
	for _, f := range from {
		if n := name(f); n != "" {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// Write writes the report of a run. cells and dir hold its evidence, of which excerpts are
// shown; dir may be nil if there are no console logs. a is shown with what the run says of it, if
// it has assertions. strict says that known failures count.
func Write(w io.Writer, r report.Report, cells []evidence.CellRun, dir fs.FS, a article.Article, strict bool) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"word": word, "statusWord": statusWord, "short": short, "hash": hash, "part": func(l language.Language, focus string) string {
			return summary.Part(l, focus, func(names string) string { return names })
		}, "seconds": func(s float64) string { return fmt.Sprintf("%.1f", s) },
	}).Parse(markup + articleMarkup)
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	d, err := newData(r, cells, dir)
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	s := shown{Report: r, Style: style, Script: script, Data: d, Cells: described(r), Exit: r.ExitCode(strict), Article: about(a, cells, r.Outcomes)}
	s.Systems = overview.Of(s.Cells, func(c cell) overview.Place {
		return overview.Place{System: c.OS, Architecture: c.Arch, Release: c.Kernel.Release, Cell: c.Name}
	})
	s.Excused = r.Verdict.Verdict == verdict.NonConformant && s.Exit == verdict.ExitConformant
	if err := t.Execute(w, s); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// cell is a cell with what the report says of it elsewhere.
type cell struct {
	report.CellReport
	Seconds float64
	Share   int // of the slowest cell, in percent
	QEMU    string
	AsKnown bool
}

// described returns the cells of a report.
func described(r report.Report) []cell {
	slowest := 0.0
	for _, s := range r.Header.Seconds {
		slowest = max(slowest, s)
	}
	version := map[string]string{}
	for _, q := range r.Header.QEMU {
		version[q.Build], _, _ = strings.Cut(q.Version, " ") // the header names the package
	}
	all := make([]cell, 0, len(r.Cells))
	for _, c := range r.Cells {
		one := cell{CellReport: c, Seconds: r.Header.Seconds[c.Name], QEMU: version[c.QEMU], AsKnown: r.AsKnown(c.Name)}
		if slowest > 0 {
			one.Share = int(100 * one.Seconds / slowest)
		}
		all = append(all, one)
	}
	return all
}

// short returns the beginning of a hash.
func short(hash string) string { return fmt.Sprintf("%.12s", hash) }

// hash returns the hash of a script or a style as a policy for content has it.
func hash(of any) string {
	sum := sha256.Sum256(fmt.Append(nil, of))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
