package page

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/mapstack/conformance/harness/judge/changes"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// differing returns two reports that differ in a change of every kind, in which every text that
// others choose is s.
func differing(s string) (before, after report.Report) {
	side := func(cell, kernel string, outcomes ...verdict.Outcome) report.Report {
		var claims []report.Claim
		for i := range outcomes {
			o := &outcomes[i]
			o.Cell, o.Claim, o.Level, o.Reason = s, fmt.Sprintf("MS-%03d", i), verdict.Must, s
			claims = append(claims, report.Claim{ID: o.Claim, English: s, Chinese: s})
		}
		return report.New(report.Header{}, "", []report.CellReport{{Name: s, Kernel: report.Kernel{Release: kernel}}, {Name: cell}}, claims, outcomes)
	}
	seen := func(status verdict.Status, expected string) verdict.Outcome {
		return verdict.Outcome{Status: status, Expected: expected, Observed: s}
	}
	pass, fail := verdict.Pass, verdict.Fail
	before = side("first", s+"1", seen(pass, "yes"), seen(fail, "yes"), seen(pass, ""), seen(pass, "false"), seen(pass, "9"))
	after = side("second", s+"2", seen(fail, "yes"), seen(pass, "yes"), seen(verdict.Unsupported, ""), seen(pass, "true"), seen(pass, "10"))
	return before, after
}

func changesOf(t *testing.T, before, after report.Report) string {
	t.Helper()
	c, err := changes.Between(before, after)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteChanges(&b, before, after, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestChangesShowBothSides fails if a kind of change, a kernel or an observation is left out, or
// if a text of others becomes an element of the page.
func TestChangesShowBothSides(t *testing.T) {
	before, after := differing("x")
	page := changesOf(t, before, after)
	for _, want := range []string{"regressions: 1", "退步：1", "Changes: 4. Only numbers or details differ: 1. Not compared: 2.", "<code>x1</code>", "<code>x2</code>",
		"Improvements", "改进", "Other behaviour", "Other changes", "Other numbers or details", "cell second of the second run", `<code>false</code>`, `<code>true</code>`, `<i class="g unsupported"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	if en, zh := strings.Count(changesMarkup, `class="en"`), strings.Count(changesMarkup, `class="zh"`); en != zh || en < 10 {
		t.Errorf("%d texts in English, %d in Chinese", en, zh)
	}
	for _, outside := range []string{"http://", "https://", "@import", "url(", "src=", "innerHTML"} {
		if strings.Contains(page, outside) {
			t.Errorf("the page has %q", outside)
		}
	}
	before, after = differing(hostile)
	if attacked := changesOf(t, before, after); !slices.Equal(elements(page), elements(attacked)) || strings.Contains(attacked, "\x1b") {
		t.Errorf("hostile texts change the page:\n%s", attacked)
	}
	same, _ := differing("x")
	if page := changesOf(t, same, same); !strings.Contains(page, "no regression") || strings.Contains(page, "Improvements") {
		t.Error("a run differs from itself")
	}
}

// elements returns the elements of a page with the names of their attributes.
func elements(page string) (all []string) {
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return all
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			name := token.Data
			for _, a := range token.Attr {
				name += " " + a.Key
			}
			all = append(all, name)
		}
	}
}
