package export

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	render "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// tokens reads a summary as GitHub does, and returns its elements, and its text outside of code.
func tokens(t *testing.T, text string) (elements []string, prose string) {
	t.Helper()
	var b bytes.Buffer
	reader := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(render.WithUnsafe()))
	if err := reader.Convert([]byte(text), &b); err != nil {
		t.Fatal(err)
	}
	z, within := html.NewTokenizer(&b), 0
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return elements, prose
		case html.TextToken:
			if within == 0 {
				prose += string(z.Text())
			}
		case html.StartTagToken, html.EndTagToken, html.CommentToken:
			token := z.Token()
			elements = append(elements, token.String())
			if token.Data == "code" {
				within += map[html.TokenType]int{html.StartTagToken: 1, html.EndTagToken: -1}[kind]
			}
		}
	}
}

// TestHostileTextsStayTextsInMarkdown fails if a name in evidence could become markup, notify
// somebody, or be an action of GitLab.
func TestHostileTextsStayTextsInMarkdown(t *testing.T) {
	for _, l := range []language.Language{language.English, language.Chinese} {
		elements := func(s string) []string {
			in := whole(s)
			in.Language = l
			text := written(t, "markdown", in)
			all, prose := tokens(t, text)
			for _, part := range []string{"alert", "@all", "#1", "evil", "/close"} {
				if strings.Contains(prose, part) {
					t.Errorf("%q stands outside of code:\n%s", part, prose)
				}
			}
			if strings.ContainsAny(text, "\x1b\u202e\x00") {
				t.Error("the summary has characters that are not seen")
			}
			return all
		}
		harmless, attacked := elements("x\ny"), elements(hostile)
		if len(harmless) < 200 || strings.Join(harmless, "\n") != strings.Join(attacked, "\n") {
			t.Errorf("%d elements, and with hostile texts %d:\n%s", len(harmless), len(attacked), strings.Join(attacked, "\n"))
		}
	}
}

func TestASummarySaysWhatFailedAndHowToRepeatIt(t *testing.T) {
	text := written(t, "markdown", input(every()...))
	first, _, _ := strings.Cut(text, "\n")
	if want := "## NON-CONFORMANT: 2 of 7 decided claims are MUSTs that do not hold."; first != want {
		t.Errorf("the first line is %q, want %q", first, want)
	}
	for _, want := range []string{
		"| `a` | non-conformant | `6.1.0-50-amd64` | 2 | 5 | 1 | 1 | 1 |\n",
		"| system | Linux | `amd64` |\n|---|---|---|\n| `Debian 12` | 6.1 | `a` non-conformant |\n",
		"**FAIL** `a` S-002 MUST: It holds.\n\n| | |\n|---|---|\n| expected | `rw-p` |\n| observed | `r--p` |\n| reason | `the subject` |\n| again | `make conformance CELL=a FOCUS=S-002` |\n",
		"**ERROR** `a` S-003", "**NOT-RUN** `a` S-004", "**FAIL, ACCEPTED** `a` S-006", "| deviation | `back-ported (changelog)` |", "| known | `a page is freed (findings)` |",
		"- `S-010 holds on a, and known.yaml:9 says", "| `the subject` | `S-005` | `a` |", "| `a` | `Debian 12` | `linux-image-6.1 6.1.1-1` | `3333",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestOnlyThePartAboutTheRunDiffers fails if two runs with the same result have another summary.
func TestOnlyThePartAboutTheRunDiffers(t *testing.T) {
	one, other := input(every()...), input(every()...)
	h := &other.Report.Header
	h.Started, h.Finished, h.Evidence, h.Seconds, h.Tool.Revision = h.Started.AddDate(1, 0, 0), h.Finished.AddDate(1, 0, 0), "other", nil, "other"
	part := regexp.MustCompile(`(?s)\n<details>\n<summary>The run</summary>.*`)
	a, b := written(t, "markdown", one), written(t, "markdown", other)
	if a == b || part.ReplaceAllString(a, "") != part.ReplaceAllString(b, "") {
		t.Errorf("%s\n\n%s", a, b)
	}
}

// TestASummaryIsNeverTooLarge fails if GitHub or GitLab would refuse the summary of a large or a
// hostile run, or if what is left out is not said.
func TestASummaryIsNeverTooLarge(t *testing.T) {
	long := strings.Repeat(hostile, 10)
	in := whole(long)
	in.Report.Cells = append(in.Report.Cells[:0:0], in.Report.Cells...)
	in.Report.Header.Warnings = nil
	for i := range 1000 {
		c := in.Report.Cells[0]
		c.Name = fmt.Sprint(i, long)
		in.Report.Cells = append(in.Report.Cells, c)
		in.Report.Header.Warnings = append(in.Report.Header.Warnings, long)
		for _, s := range []verdict.Status{verdict.Fail, verdict.Unsupported} {
			o := outcome("S-002", s)
			o.Cell, o.Reason, o.Observed = c.Name, fmt.Sprint(i, long), long
			in.Report.Outcomes = append(in.Report.Outcomes, o)
		}
		stale := outcome("S-010", verdict.Pass)
		stale.Known = verdict.Known{Reason: "r", Place: long}
		in.Report.Outcomes = append(in.Report.Outcomes, stale)
	}
	text := written(t, "markdown", in)
	const github, gitlab = 1 << 20, 1_000_000
	if len(text) > min(github, gitlab) || strings.Count(text, "more are left out here") != 7 {
		t.Errorf("%d bytes, %d parts are cut", len(text), strings.Count(text, "more are left out here"))
	}
}
