package summary

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/harness/judge/report"
)

// meant explains a tier to a reader who meets it for the first time.
func meant(tier, arch string) string {
	switch tier {
	case report.Real:
		return "R  a real kernel of " + arch
	case report.Twin:
		return "T  a real kernel with " + arch + "'s numbers"
	case report.Model:
		return "M  defects modelled on a real kernel"
	}
	return tier
}

// sideBySide shows what each tier decided, of the claims and of the article.
func sideBySide(r report.Report) string {
	if r.Tiers == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nWhat is known of %s, by tier:\n\n", r.Tiers.Arch)
	t := plainTable(table.Row{"tier", "verdict", "cells", "decided"})
	for _, tier := range r.Tiers.Tiers {
		said, why := string(tier.Verdict.Verdict), tier.Verdict.Reason
		switch {
		case tier.Missing == "" && tier.Tier == report.Real:
			// Whoever has a kernel can supply it, and nothing in it says whose product it is.
			why += "; a kernel of " + r.Tiers.Arch + " was tested, and who made it is not known"
		case tier.Missing != "":
			// The problems above have its other lines.
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
	b.WriteString(t.Render() + "\n\nDecided by reading sources, where no kernel can decide:\n")
	for _, a := range r.Tiers.Assertions {
		if a.Read != nil {
			fmt.Fprintf(&b, "    %-6s %s\n           %s\n", a.ID, a.English, a.Read.English)
		}
	}
	b.WriteString(models(r))
	return b.String()
}

// models lists each claim of the models once, with its sentence.
func models(r report.Report) string {
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
