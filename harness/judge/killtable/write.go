package killtable

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// shown is the most claims that a line of WriteText names.
const shown = 6

// WriteText writes for a terminal which claims catch each defect on each kernel,
// and what the table does not prove.
func (t Table) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, k := range t.Kernels {
		fmt.Fprintf(&b, "%s\n", k.Name)
		for _, trial := range k.Trials {
			fmt.Fprintf(&b, "  %-30s %s\n", trial.Defect, k.catchers(trial))
		}
		b.WriteString("\n")
	}
	problems := t.Problems()
	for _, p := range problems {
		fmt.Fprintf(&b, "PROBLEM %s\n", p)
	}
	if len(problems) == 0 {
		fmt.Fprintf(&b, "%d defects on %d kernels: %s.\n", len(t.Models), len(t.Kernels), t.proven())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// proven states what a table without problems proves.
func (t Table) proven() string {
	if t.Partial {
		return "each MUST claim that was asked for fails under at least one of them"
	}
	return "a MUST claim catches each defect that was tried, and each MUST claim fails under at least one of them"
}

// catchers counts and names the MUST claims that catch a defect.
func (k Kernel) catchers(t Trial) string {
	if t.Unserved != "" {
		return "not tried: " + t.Unserved
	}
	ids := k.caught(t, verdict.Must)
	text := fmt.Sprintf("%3d  ", len(ids))
	if len(ids) > shown {
		return text + strings.Join(ids[:shown], " ") + " ..."
	}
	return text + strings.Join(ids, " ")
}

// WriteMarkdown writes the table as a page: how many claims catch each defect, and
// which defects each claim catches.
func (t Table) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Kill table\n\n" +
		"Written by `make kill-table`; do not edit. Each defect was injected into a real kernel below the probes\n" +
		"(`poc/inject`), and the claims judged what the probes then saw. A claim that no defect can make fail proves\n" +
		"nothing, and a defect that no claim catches would be certified.\n\nSuites: " + strings.Join(t.suites(), ", ") + ".\n\n## Defects\n\n" +
		"The last columns: how many MUST claims catch the defect on the cell, or why it was not tried there.\n\n")
	b.WriteString("| defect | what the kernel does wrong |")
	for _, k := range t.Kernels {
		b.WriteString(" " + k.Name + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(t.Kernels)) + "\n")
	for i, m := range t.Models {
		b.WriteString("| `" + m.Name + "` | " + m.English + " " + m.Chinese + " |")
		for _, k := range t.Kernels {
			b.WriteString(" " + k.count(i) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## Claims\n\n| claim | level | caught defects |\n|---|---|---|\n")
	killers := make([]map[string][]string, len(t.Kernels))
	for i, k := range t.Kernels {
		killers[i] = k.Killers()
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

// count is the cell of the Markdown table for one trial.
func (k Kernel) count(trial int) string {
	t := k.Trials[trial]
	if t.Unserved != "" {
		return t.Unserved
	}
	return fmt.Sprint(len(k.caught(t, verdict.Must)))
}

// catches lists the defects that a claim catches, or says why there is none. It names the
// kernels where a defect was tried on others too. killers has the Killers of each kernel.
func (t Table) catches(claim string, killers []map[string][]string) string {
	var list []string
	for i, m := range t.Models {
		var on, tried []string
		for at, k := range t.Kernels {
			if k.Trials[i].Unserved == "" {
				tried = append(tried, k.Name)
			}
			if slices.Contains(killers[at][claim], m.Name) {
				on = append(on, k.Name)
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
	if why, excused := t.Excused[claim]; excused && len(list) == 0 {
		return "none: " + why
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
