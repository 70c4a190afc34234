package killtable

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// shown is how many claims a line of WriteText names.
const shown = 6

// WriteText writes, for a terminal, which claims catch each defect on each
// cell, and what the table does not prove.
func (t Table) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, c := range t.Cells {
		fmt.Fprintf(&b, "%s\n", c.Name)
		for _, trial := range c.Trials {
			fmt.Fprintf(&b, "  %-30s %s\n", trial.Defect, c.catchers(trial))
		}
		b.WriteString("\n")
	}
	problems := t.Problems()
	for _, p := range problems {
		fmt.Fprintf(&b, "PROBLEM %s\n", p)
	}
	if len(problems) == 0 {
		fmt.Fprintf(&b, "%d defects on %d cells: %s.\n", len(t.Models), len(t.Cells), t.proven())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// proven says what a table without problems proves.
func (t Table) proven() string {
	if t.Partial {
		return "each of the MUST claims that was asked for fails under one"
	}
	return "each is caught by a MUST claim where it means something, and each MUST claim fails under one"
}

// catchers says which MUST claims catch a defect.
func (c Kernel) catchers(t Trial) string {
	if t.Unserved != "" {
		return "not tried: " + t.Unserved
	}
	ids := c.caught(t, verdict.Must)
	text := fmt.Sprintf("%3d  ", len(ids))
	if len(ids) > shown {
		return text + strings.Join(ids[:shown], " ") + " ..."
	}
	return text + strings.Join(ids, " ")
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
	killers := make([]map[string][]string, len(t.Cells))
	for i, c := range t.Cells {
		killers[i] = c.Killers()
	}
	for _, claim := range t.Claims {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", claim.ID, claim.Level, t.catches(claim.ID, killers))
	}
	if problems := t.Problems(); len(problems) > 0 {
		b.WriteString("\n## Problems\n\n- " + strings.Join(problems, "\n- ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c Kernel) count(trial int) string {
	t := c.Trials[trial]
	if t.Unserved != "" {
		return t.Unserved
	}
	return fmt.Sprint(len(c.caught(t, verdict.Must)))
}

// catches lists the defects that a claim catches, with the cells where it does
// not do so on all that the defect was tried on.
// killers is of each cell.
func (t Table) catches(claim string, killers []map[string][]string) string {
	if why, excused := t.Excused[claim]; excused {
		return "none: " + why
	}
	var list []string
	for i, m := range t.Models {
		var on, tried []string
		for at, c := range t.Cells {
			if c.Trials[i].Unserved == "" {
				tried = append(tried, c.Name)
			}
			if slices.Contains(killers[at][claim], m.Name) {
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
