package report

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// Tiers sets side by side what cells of different nearness say of an architecture
// whose kernels nobody can download.
type Tiers struct {
	Arch       string      `json:"arch"` // GOARCH
	Tiers      []Tier      `json:"tiers"`
	Assertions []Assertion `json:"assertions"` // of the article about it
}

// Tier is the cells of one nearness: "real", "twin" or "model".
type Tier struct {
	Tier    string           `json:"tier"`
	Cells   []string         `json:"cells"`
	Verdict verdict.Decision `json:"verdict"`
	// Missing is why nothing was decided, and how to supply what it needs.
	Missing string `json:"missing,omitempty"`
}

// Assertion is one sentence of an article and what each tier says of it.
type Assertion struct {
	ID      string   `json:"id"`
	English string   `json:"en"`
	Chinese string   `json:"zh"`
	Claims  []string `json:"claims,omitempty"` // that decide it
	Real    string   `json:"real,omitempty"`
	Twin    string   `json:"twin,omitempty"`
	// Model says whether ModelClaims, what would happen if it were right, held.
	Model       string   `json:"model,omitempty"`
	ModelClaims []string `json:"modelClaims,omitempty"`
	Read        *Text    `json:"read,omitempty"` // what a source says, where no kernel can be asked
}

// Text is a sentence in both languages.
type Text struct {
	English string `json:"en"`
	Chinese string `json:"zh"`
}

// Tiers by name, as the matrix has them.
const real, twin = "real", "twin"

// meant is what a tier is, for a reader who meets it here.
func meant(tier, arch string) string {
	switch tier {
	case real:
		return "R  a real kernel of " + arch
	case twin:
		return "T  a real kernel with " + arch + "'s numbers"
	}
	return "M  defects modelled on a real kernel"
}

// WithoutReal is what the run decides when the cells of the real tier are left
// out. ok is false when there are none, or when one of their claims was decided:
// a real kernel's answer is not put aside.
func (r Report) WithoutReal() (d verdict.Decision, ok bool) {
	if r.Tiers == nil {
		return d, false
	}
	out := map[string]bool{}
	for _, c := range r.Cells {
		if c.Tier == real {
			if c.Verdict.Counts.Pass+c.Verdict.Counts.Fail+c.Verdict.Counts.Error > 0 {
				return d, false
			}
			out[c.Name] = true
		}
	}
	var rest []verdict.Outcome
	for _, o := range r.Outcomes {
		if !out[o.Cell] {
			rest = append(rest, o)
		}
	}
	return verdict.Decide(rest), true
}

// sideBySide shows the tiers and the article.
func (r Report) sideBySide() string {
	if r.Tiers == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nWhat is known of %s, by tier:\n\n", r.Tiers.Arch)
	t := plainTable(table.Row{"tier", "verdict", "cells", "decided"})
	for _, tier := range r.Tiers.Tiers {
		said, why := string(tier.Verdict.Verdict), tier.Verdict.Reason
		if tier.Missing != "" {
			// The rest of it is among the problems above.
			said = "not run"
			why, _, _ = strings.Cut(tier.Missing, "\n")
		}
		t.AppendRow(table.Row{meant(tier.Tier, r.Tiers.Arch), said, orDash(strings.Join(tier.Cells, " ")), why})
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: 60, WidthMaxEnforcer: text.WrapSoft}})
	b.WriteString(t.Render() + "\n")
	fmt.Fprintf(&b, "\nWhat the article says of %s, and what each tier says of that:\n\n", r.Tiers.Arch)
	t = plainTable(table.Row{"", "the article", "R", "T", "M: if it were so"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, WidthMax: 60, WidthMaxEnforcer: text.WrapSoft},
		{Number: 5, WidthMax: 30, WidthMaxEnforcer: text.WrapSoft}})
	for _, a := range r.Tiers.Assertions {
		if a.Read == nil {
			t.AppendRow(table.Row{a.ID, a.English, a.Real, a.Twin, orDash(strings.TrimSpace(a.Model + " " + strings.Join(a.ModelClaims, " ")))})
		}
	}
	b.WriteString(t.Render() + "\n\nDecided by reading, which no kernel replaces:\n")
	for _, a := range r.Tiers.Assertions {
		if a.Read != nil {
			fmt.Fprintf(&b, "    %-6s %s\n           %s\n", a.ID, a.English, a.Read.English)
		}
	}
	b.WriteString(r.models())
	return b.String()
}

// models says what the claims of the models are, once each.
func (r Report) models() string {
	sentence := map[string]string{}
	for _, c := range r.Claims {
		sentence[c.ID] = c.English
	}
	var b strings.Builder
	seen := map[string]bool{}
	for _, a := range r.Tiers.Assertions {
		for _, id := range a.ModelClaims {
			if !seen[id] {
				fmt.Fprintf(&b, "    %s %s\n", id, sentence[id])
			}
			seen[id] = true
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\nWhat M shows:\n" + b.String()
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
