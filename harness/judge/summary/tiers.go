package summary

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/harness/judge/report"
)

// meant explains a tier to a reader who meets it for the first time.
func (s Style) meant(tier, arch string) string {
	switch tier {
	case report.Real:
		return "R  " + s.say("a kernel of %s, as supplied", "所提供的 %s 内核", arch)
	case report.Twin:
		return "T  " + s.say("a real kernel with %s's numbers", "数值与 %s 相同的真实内核", arch)
	case report.Model:
		return "M  " + s.say("defects modelled on a real kernel", "在真实内核上模拟的缺陷")
	}
	return tier
}

// sideBySide shows what each tier decided, of the claims and of the article.
func (s Style) sideBySide(r report.Report) string {
	if r.Tiers == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(s.say("\nWhat is known of %s, by tier:\n\n", "\n按层级列出对 %s 的了解：\n\n", r.Tiers.Arch))
	t := plainTable(table.Row{s.say("tier", "层级"), s.say("verdict", "结论"), s.say("cells", "单元"), s.say("decided", "判定")})
	for _, tier := range r.Tiers.Tiers {
		said, why := s.verdict(tier.Verdict.Verdict), s.Language.Pick(tier.Verdict.Reason, cmp.Or(tier.Verdict.Chinese, tier.Verdict.Reason))
		switch {
		case tier.Missing == "" && tier.Tier == report.Real:
			// Whoever has a kernel can supply it, and nothing in it says whose product it is.
			why += s.say("; a kernel of %s was tested; who made it is not known", "；测试了一个 %s 内核，其制造者不详", r.Tiers.Arch)
		case tier.Missing != "":
			// The problems above have its other lines.
			said = s.say("not run", "未运行")
			why, _, _ = strings.Cut(tier.Missing, "\n")
		}
		t.AppendRow(table.Row{s.meant(tier.Tier, r.Tiers.Arch), said, orDash(strings.Join(tier.Cells, " ")), why})
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: 60, WidthMaxEnforcer: text.WrapSoft}})
	b.WriteString(t.Render() + "\n")
	b.WriteString(s.say("\nWhat the article says of %s, and what each tier says of that:\n\n", "\n那篇文章对 %s 的说法，以及各层级的判定：\n\n", r.Tiers.Arch))
	t = plainTable(table.Row{"", s.say("the article", "文章"), "R", "T", s.say("M: if it were so", "M：假如属实")})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, WidthMax: 60, WidthMaxEnforcer: text.WrapSoft},
		{Number: 5, WidthMax: 30, WidthMaxEnforcer: text.WrapSoft}})
	for _, a := range r.Tiers.Assertions {
		if a.Read == nil {
			t.AppendRow(table.Row{a.ID, s.Language.Pick(a.English, a.Chinese), a.Real, a.Twin, orDash(strings.TrimSpace(a.Model + " " + strings.Join(a.ModelClaims, " ")))})
		}
	}
	b.WriteString(t.Render() + "\n\n" + s.say("Decided by reading sources, where no kernel can decide:\n", "内核无法判定、由阅读源码判定的：\n"))
	for _, a := range r.Tiers.Assertions {
		if a.Read != nil {
			fmt.Fprintf(&b, "    %-6s %s\n           %s\n", a.ID, s.Language.Pick(a.English, a.Chinese), s.Language.Pick(a.Read.English, a.Read.Chinese))
		}
	}
	b.WriteString(s.models(r))
	return b.String()
}

// models lists each claim of the models once, with its sentence.
func (s Style) models(r report.Report) string {
	sentence := map[string]string{}
	for _, c := range r.Claims {
		sentence[c.ID] = s.Language.Pick(c.English, c.Chinese)
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
	return s.say("\nWhat M shows:\n", "\nM 显示的：\n") + b.String()
}
