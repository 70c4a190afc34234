package killtable

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/report"
	"github.com/mapstack/conformance/harness/verdict"
)

// WriteMatrix writes, for each cell, claims against numbered defects, for a
// terminal: X where the claim fails, e where it could not be decided.
func (t Table) WriteMatrix(w io.Writer) error {
	var b strings.Builder
	for i, m := range t.Models {
		fmt.Fprintf(&b, "%3d %s: %s\n", i+1, m.Name, m.English)
	}
	for _, c := range t.Cells {
		fmt.Fprintf(&b, "\n%s\n%-14s", c.Name, "")
		for i := range t.Models {
			fmt.Fprintf(&b, "%3d", i+1)
		}
		b.WriteString("\n")
		for _, claim := range t.Claims {
			if line, any := c.line(claim); any {
				b.WriteString(line + "\n")
			}
		}
	}
	for _, p := range t.Problems() {
		b.WriteString("\nPROBLEM " + p)
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// line is a claim's row, and whether the claim was judged on the cell.
func (c Cell) line(claim report.Claim) (string, bool) {
	judged := slices.ContainsFunc(c.Control, func(o verdict.Outcome) bool {
		return o.Claim == claim.ID && o.Status == verdict.Pass
	})
	var b strings.Builder
	fmt.Fprintf(&b, "%-6s %-7s", claim.ID, claim.Level)
	for _, trial := range c.Trials {
		fmt.Fprintf(&b, "%3s", trial.mark(claim.ID))
	}
	return b.String(), judged
}

func (t Trial) mark(claim string) string {
	if t.Unserved != "" {
		return "-"
	}
	for _, o := range t.Outcomes {
		if o.Claim != claim {
			continue
		}
		switch o.Status {
		case verdict.Fail:
			return "X"
		case verdict.Error, verdict.NotRun:
			return "e"
		}
		return "."
	}
	return ""
}

// WriteMarkdown writes the table for readers: what catches each defect, and
// what each claim catches.
func (t Table) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Kill table\n\n" +
		"Written by `make kill-table`; do not edit. Each defect was injected into a real kernel below the probes\n" +
		"(`poc/inject`), and the claims judged what the probes then saw. A claim that no defect can make fail proves\n" +
		"nothing, and a defect that no claim catches would be certified.\n\nSuites: " + strings.Join(t.suites(), ", ") + ".\n\n## Defects\n\n" +
		"The last columns: how many MUST claims catch the defect on the cell, or why it was not tried there.\n\n")
	b.WriteString("| defect | what the kernel does wrong |")
	for _, c := range t.Cells {
		b.WriteString(" " + c.Name + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(t.Cells)) + "\n")
	for i, m := range t.Models {
		b.WriteString("| `" + m.Name + "` | " + m.English + " " + m.Chinese + " |")
		for _, c := range t.Cells {
			b.WriteString(" " + c.count(i) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## Claims\n\n| claim | level | caught defects |\n|---|---|---|\n")
	for _, claim := range t.Claims {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", claim.ID, claim.Level, t.catches(claim.ID))
	}
	if problems := t.Problems(); len(problems) > 0 {
		b.WriteString("\n## Problems\n\n- " + strings.Join(problems, "\n- ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c Cell) count(trial int) string {
	t := c.Trials[trial]
	if t.Unserved != "" {
		return t.Unserved
	}
	return fmt.Sprint(len(c.caught(t, verdict.Must)))
}

// catches lists the defects that a claim catches, with the cells where it does
// not do so on all that the defect was tried on.
func (t Table) catches(claim string) string {
	if why, excused := t.Excused[claim]; excused {
		return "none: " + why
	}
	var list []string
	for i, m := range t.Models {
		var on, tried []string
		for _, c := range t.Cells {
			if c.Trials[i].Unserved == "" {
				tried = append(tried, c.Name)
			}
			if slices.Contains(c.Killers()[claim], m.Name) {
				on = append(on, c.Name)
			}
		}
		switch {
		case len(on) == 0:
		case len(on) == len(tried):
			list = append(list, "`"+m.Name+"`")
		default:
			list = append(list, "`"+m.Name+"` on "+strings.Join(on, ", "))
		}
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, "; ")
}

func (t Table) suites() []string {
	var names []string
	for _, c := range t.Claims {
		names = append(names, c.Suite)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
