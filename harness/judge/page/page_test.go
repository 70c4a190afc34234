package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/net/html"

	"github.com/mapstack/conformance/harness/judge/article"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

// hostile is a text that somebody else chose.
const hostile = `</script><script>alert(1)</script>"'<img src=x onerror=alert(2)>` + "\x1b[31m\u202e"

// whole returns a report in which every text that others choose is s, with its evidence.
func whole(s string) (report.Report, []evidence.CellRun, fstest.MapFS) {
	r := report.New(report.Header{
		Tool: report.Tool{Version: s, Revision: s}, Warnings: []string{s}, Evidence: s, Host: report.Host{Arch: s},
		QEMU: []report.QEMU{{Build: "b", Version: s}}, Seconds: map[string]float64{s: 2}, ProbeSeconds: map[string]map[string]float64{s: {"p": 1}},
	}, s, []report.CellReport{{Name: s, Arch: s, OS: s, Machine: s, Accelerator: s, QEMU: "b", Target: s, Hardware: &report.Hardware{Vendor: s, Product: s, Board: s, Firmware: s, Unknown: s}, Failure: &report.Failure{Kind: s, Message: s},
		Kernel: report.Kernel{Release: s, ImageSHA256: s, Provenance: report.Provenance{Package: s, Version: s, SHA256: s}}}},
		[]report.Claim{{ID: "MS-001", Suite: "mapstack", Level: verdict.Must, English: s, Chinese: s, Source: s}},
		[]verdict.Outcome{{Cell: s, Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: verdict.Fail, Reason: s, Expected: s, Observed: s, Probe: "p",
			Where: verdict.Where{Path: s, Step: s, Read: []string{s}}, Known: verdict.Known{Reason: s, Link: s}}})
	r.Defect = &report.Defect{Name: s, English: s, Chinese: s}
	r.Product = &report.Product{Organisation: s, Name: s, Version: s}
	cells := []evidence.CellRun{{Cell: matrix.Cell{Name: s, Arch: "alpha", For: "sw64", Tier: matrix.Twin}, Transcripts: map[string]wire.Transcript{"p": {Probe: "p", Observations: []wire.Observation{
		{Step: s, Call: s, Ret: s, Values: map[string]string{s: s}, Unknown: map[string]string{s: s}}, {Step: "not read", Call: "left out"}}}}}}
	return r, cells, fstest.MapFS{}
}

// told returns an article in which every text is s. The first of its statements is about whole's
// outcome.
func told(s string) article.Article {
	return article.Article{Title: s, URL: s, Arch: "sw64", Assertions: []article.Assertion{
		{ID: "A1.1", English: s, Chinese: s, RefutedBy: []string{"MS-001"}}, {ID: "A1.2", English: s, Chinese: s, Read: &article.Reading{English: s, Chinese: s}}}}
}

func render(t *testing.T, r report.Report, cells []evidence.CellRun, dir fstest.MapFS) string {
	t.Helper()
	return renderWith(t, r, cells, dir, told("x"))
}

func renderWith(t *testing.T, r report.Report, cells []evidence.CellRun, dir fstest.MapFS, a article.Article) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, cells, dir, a, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestHostileTextsStayTexts fails if a name in evidence could become an element or a script of
// the page.
func TestHostileTextsStayTexts(t *testing.T) {
	with := func(s string) []string {
		r, cells, dir := whole(s)
		return elements(renderWith(t, r, cells, dir, told(s)))
	}
	harmless, attacked := with("x"), with(hostile)
	if len(harmless) < 50 || strings.Join(harmless, "\n") != strings.Join(attacked, "\n") {
		t.Errorf("%d elements, and with hostile texts %d:\n%s", len(harmless), len(attacked), strings.Join(attacked, "\n"))
	}
}

// TestTheFirstScreenSaysWhatWasTested fails if a reader of a run on one kernel must look for which
// kernel that was, by its package or, of one that was given, by its file.
func TestTheFirstScreenSaysWhatWasTested(t *testing.T) {
	r, cells, dir := whole("x")
	c := &r.Cells[0]
	c.OS, c.Arch, c.Machine, c.Kernel.Release = "Example 22.03", "arm64", "virt", "5.10.0-60"
	for name, p := range map[string]report.Provenance{
		"linux-image 5.10-1": {Package: "linux-image", Version: "5.10-1", SHA256: strings.Repeat("a", 64)},
		"kernel.rpm":         {Filename: "kernel.rpm", SHA256: strings.Repeat("a", 64)},
	} {
		c.Kernel.Provenance = p
		first, _, _ := strings.Cut(render(t, r, cells, dir), "</dl>")
		for _, want := range []string{"<dd>Example 22.03</dd>", "<dd>5.10.0-60, " + name + " <code title=\"SHA-256 " + p.SHA256 + "\">aaaaaaaaaaaa</code></dd>", "<dd>arm64, virt</dd>"} {
			if !strings.Contains(first, want) {
				t.Errorf("no %q in\n%s", want, first[strings.Index(first, "<dl"):])
			}
		}
	}
	r.Cells = append(r.Cells, *c)
	if first, _, _ := strings.Cut(render(t, r, cells, dir), "</dl>"); strings.Contains(first, "Example 22.03") {
		t.Error("one of several kernels is shown as what was tested")
	}
}

// TestManyWarningsAreFolded fails if warnings push the result off the first screen of a phone.
func TestManyWarningsAreFolded(t *testing.T) {
	r, cells, dir := whole("x")
	r.Header.Warnings = []string{"a warning", "a warning"}
	if page := render(t, r, cells, dir); strings.Count(page, `<p class="warn">a warning</p>`) != 2 {
		t.Error("two warnings are not shown")
	}
	r.Header.Warnings = append(r.Header.Warnings, "a warning")
	page := render(t, r, cells, dir)
	if !strings.Contains(page, "3 warnings about the run") || strings.Count(page, "<p>a warning</p>") != 3 || strings.Contains(page, `<p class="warn">a warning</p>`) {
		t.Error("three warnings are not folded")
	}
}

// TestThePageNeedsNothingElse fails if the page would load anything, or if its script does not
// match the policy that keeps other scripts out.
func TestThePageNeedsNothingElse(t *testing.T) {
	r, cells, dir := whole("x")
	text := render(t, r, cells, dir)
	for _, outside := range []string{"http://", "https://", "@import", "url(", "src=", "<iframe", "innerHTML"} {
		if strings.Contains(text, outside) {
			t.Errorf("the page has %q", outside)
		}
	}
	if policy := fmt.Sprintf("style-src '%s'; script-src '%s'", hash(style), hash(script)); !strings.Contains(html.UnescapeString(text), policy) {
		t.Errorf("no policy %q", policy)
	}
	if !strings.Contains(text, "<script>"+string(script)+"</script>") || !strings.Contains(text, "<style>"+string(style)+"</style>") {
		t.Error("the script or the style is not what was hashed")
	}
}

// read returns the data that a page gives its script.
func read(t *testing.T, page string) (d data) {
	t.Helper()
	_, rest, _ := strings.Cut(page, `<script type="application/json" id="data">`)
	text, _, found := strings.Cut(rest, "</script>")
	if err := json.Unmarshal([]byte(text), &d); err != nil || !found {
		t.Fatalf("%v in %.200s", err, text)
	}
	return d
}

// TestAnOutcomeComesWithItsEvidence fails if a reader of the page must look for what a verdict
// follows from.
func TestAnOutcomeComesWithItsEvidence(t *testing.T) {
	r, cells, dir := whole("x")
	frame, err := wire.Encode(wire.GuestPrefix, wire.Frame{Payload: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	dir["cells/x/console/p.log"] = &fstest.MapFile{Data: append(append([]byte("Linux version\r\n"), frame...), "\noops\n"...)}
	d := read(t, render(t, r, cells, dir))
	o := d.Outcomes[0]
	if o.Status != "known" || d.Texts[o.Expected] != "x" || d.Texts[o.Step] != "x" || d.Texts[o.Record] != "x" || d.Seconds["x/p"] != 1 {
		t.Errorf("%+v of %q", o, d.Texts)
	}
	if s := d.Steps["x/p"]; len(s) != 1 || d.Texts[s[0].Call] != "x" || len(s[0].Values) != 1 || len(s[0].Unknown) != 1 {
		t.Errorf("steps %+v of %q", s, d.Texts)
	}
	if got := d.Texts[d.Consoles["x/p"]]; got != "Linux version\noops" {
		t.Errorf("console %q", got)
	}
	dir["cells/x/console/p.log"] = &fstest.MapFile{Data: frame}
	if at, there := read(t, render(t, r, cells, dir)).Consoles["x/p"]; !there || d.Texts[at] != "" {
		t.Errorf("a kernel that wrote nothing has no log: %t", there)
	}
	delete(dir, "cells/x/console/p.log")
	if _, there := read(t, render(t, r, cells, dir)).Consoles["x/p"]; there {
		t.Error("there is a log, and there is none")
	}
	if want := "make conformance TARGET=x FOCUS=CLAIM DEFECT=x"; d.Cells[0].Again != want {
		t.Errorf("%q, want %q", d.Cells[0].Again, want)
	}
}

// TestBothLanguagesAreComplete fails if a word of the page has no counterpart.
func TestBothLanguagesAreComplete(t *testing.T) {
	all := markup + articleMarkup
	if en, zh := strings.Count(all, `class="en"`), strings.Count(all, `class="zh"`); en != zh || en < 20 {
		t.Errorf("%d texts in English, %d in Chinese", en, zh)
	}
	_, table, _ := strings.Cut(string(script), "const words = {")
	english, chinese, found := strings.Cut(table, "\n  zh: {")
	chinese, _, _ = strings.Cut(chinese, "\n};")
	keys := func(s string) string {
		var all []string
		for _, m := range regexp.MustCompile(`(?:^|[{,]\s*)("?[A-Za-z-]+"?): `).FindAllStringSubmatch(s, -1) {
			all = append(all, m[1])
		}
		return strings.Join(all, " ")
	}
	english = strings.TrimPrefix(strings.TrimSpace(english), "en: ")
	if e, c := keys(english), keys("{"+chinese); !found || e != c || len(e) < 100 {
		t.Errorf("the words differ:\n%s\n%s", e, c)
	}
}

// TestEachStatementOfTheArticleHasItsEvidence fails if a statement is shown without what decides
// it, or with the answer of claims that did not hold.
func TestEachStatementOfTheArticleHasItsEvidence(t *testing.T) {
	for name, tc := range map[string]struct {
		status verdict.Status
		wants  []string
	}{
		"the claim holds": {verdict.Pass, []string{`a-wrong"><span class="en">the statement is wrong<`, "该陈述错误", "1 wrong, 0 right, 0 not decided by this run, 1 decided by reading",
			"On the twin of sw64", `<a href="#MS-001%40x">MS-001</a>`, `<i class="g pass"`, `observed</span><span class="zh" lang="zh">实际</span> <code>x</code>`, `<code>x</code> x</div>`, `id="article-A1.2"`, `<details class="fold" open>`}},
		"it fails":       {verdict.Fail, []string{`a-open"><span class="en">not decided<`, `<i class="g fail"`, "0 wrong, 0 right, 1 not decided"}},
		"it did not run": {verdict.NotRun, []string{"Neither a kernel of sw64 nor its twin decided it", `<i class="g not-run"`, "没有判定"}},
	} {
		r, cells, dir := whole("x")
		r.Outcomes[0].Status, r.Outcomes[0].Known = tc.status, verdict.Known{}
		page := render(t, r, cells, dir)
		for _, want := range tc.wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %q", name, want)
			}
		}
	}
	r, cells, dir := whole("x")
	cells[0].Cell.For, cells[0].Cell.Arch = "", "amd64"
	if page := render(t, r, cells, dir); !strings.Contains(page, "The same claims on other architectures") || strings.Contains(page, `<details class="fold" open>`) {
		t.Error("a run of other architectures opens the article")
	}
	if page := renderWith(t, r, cells, dir, article.Article{}); strings.Contains(page, `id="article`) || strings.Contains(page, `href="#article`) {
		t.Error("no article is shown as one")
	}
}

// TestTheWordsOfAStatusAgree fails if the script and the template name a status differently.
func TestTheWordsOfAStatusAgree(t *testing.T) {
	for _, s := range []string{"pass", "fail", "known", "accepted", "error", "not-run", "unsupported"} {
		w := statusWord(s)
		for _, want := range []string{w.English, w.Chinese} {
			if pair := regexp.QuoteMeta(s) + `"?: "` + want + `"`; !regexp.MustCompile(pair).MatchString(string(script)) {
				t.Errorf("the script has no %s", pair)
			}
		}
	}
}
