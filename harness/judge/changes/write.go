package changes

import (
	"fmt"
	"io"
	"strings"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// Writer writes changes, with the sentences of the claims.
type Writer struct {
	Language language.Language
	Claims   []report.Claim
	// Markdown makes a table for each kind, for the summary of a CI job or a note.
	Markdown bool
	// All also lists what is of the kind Detail.
	All bool
}

// In names a kind in a language.
func (k Kind) In(l language.Language) string {
	switch k {
	case Regression:
		return l.Pick("Regressions", "退步")
	case Improvement:
		return l.Pick("Improvements", "改进")
	case Behaviour:
		return l.Pick("Other behaviour, which both claims expect", "行为不同，且两者都符合预期")
	case Detail:
		return l.Pick("Other numbers or details, which are no change of behaviour", "仅数值或细节不同，行为没有变化")
	}
	return l.Pick("Other changes", "其他变化")
}

// Write writes all changes, the strongest first, then what could not be compared.
func (w Writer) Write(to io.Writer, c Changes) error {
	var b strings.Builder
	sentence := map[string]string{}
	for _, claim := range w.Claims {
		sentence[claim.ID] = w.Language.Pick(claim.English, claim.Chinese)
	}
	for _, p := range c.Pairs {
		if p[0] != p[1] {
			fmt.Fprintf(&b, w.Language.Pick("%s against %s\n\n", "%s 与 %s 比较\n\n"), p[0], p[1])
		}
	}
	kinds := Kinds()
	if w.All {
		kinds = append(kinds, Detail)
	}
	for _, k := range kinds {
		some := c.Of(k)
		if len(some) == 0 {
			continue
		}
		w.heading(&b, fmt.Sprintf(w.Language.Pick("%s: %d", "%s：%d"), k.In(w.Language), len(some)))
		if w.Markdown {
			b.WriteString(w.Language.Pick("| claim | cell | before | after |\n", "| 断言 | 单元 | 之前 | 之后 |\n") + "|---|---|---|---|\n")
		}
		for _, one := range some {
			if w.Markdown {
				fmt.Fprintf(&b, "| %s %s: %s | %s | %s | %s |\n", one.Is.Claim, one.Is.Level, cell(sentence[one.Is.Claim]), cell(one.Is.Cell), cell(w.said(one.Was)), cell(w.said(one.Is)))
				continue
			}
			fmt.Fprintf(&b, "%s %s  %s: %s\n    - %s\n    + %s\n", one.Is.Claim, one.Is.Level, one.Is.Cell, sentence[one.Is.Claim], w.said(one.Was), w.said(one.Is))
		}
		b.WriteString("\n")
	}
	if len(c.Unpaired) > 0 {
		w.heading(&b, fmt.Sprintf(w.Language.Pick("Not compared: %d", "未比较：%d"), len(c.Unpaired)))
		for _, u := range c.Unpaired {
			fmt.Fprintf(&b, "- %s\n", u)
		}
		b.WriteString("\n")
	}
	w.end(&b, c)
	_, err := io.WriteString(to, b.String())
	return err
}

// end counts the changes.
func (w Writer) end(b *strings.Builder, c Changes) {
	pick := w.Language.Pick
	fmt.Fprintf(b, pick("%d cells compared: %d regressions, %d changes.\n", "比较了 %d 个单元：%d 个退步，%d 个变化。\n"), len(c.Pairs), len(c.Of(Regression)), len(c.List))
	if n := len(c.Details); n > 0 && !w.All {
		fmt.Fprintf(b, pick("%d claims pass on both sides with other numbers or details; mapstack diff --all lists them.\n", "%d 条断言两边都通过，仅数值或细节不同；mapstack diff --all 列出它们。\n"), n)
	}
}

func (w Writer) heading(b *strings.Builder, text string) {
	if w.Markdown {
		b.WriteString("## " + text + "\n\n")
		return
	}
	b.WriteString(text + "\n")
}

// said is one line about an outcome: its status, and what was expected and observed, or why.
func (w Writer) said(o verdict.Outcome) string {
	text := string(o.Status)
	switch first, _, _ := strings.Cut(o.Reason, "\n"); {
	case o.Expected != "":
		text += fmt.Sprintf(w.Language.Pick(": expected %s, observed %s", "：预期 %s，实际 %s"), o.Expected, o.Observed)
	case first != "":
		text += w.Language.Pick(": ", "：") + first
	}
	return text
}

// cell returns text that stays within a cell of a table in Markdown, and is no markup there.
func cell(s string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "&", "&amp;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "\n", " ").Replace(s)
}
