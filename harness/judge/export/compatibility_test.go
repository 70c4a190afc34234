package export

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// ran returns the report of a run on some day with the cells.
func ran(day int, cells ...report.CellReport) report.Report {
	return report.Report{Header: report.Header{Started: time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC), Tool: report.Tool{Version: "0.1.0"}}, Cells: cells}
}

func cellOf(name, os, arch, kernel string, v verdict.Verdict) report.CellReport {
	return report.CellReport{Name: name, OS: os, Arch: arch, Kernel: report.Kernel{Release: kernel}, Verdict: verdict.Decision{Verdict: v, Reason: "because"}}
}

// TestThePageHasTheNewestVerdictOnEachKernel fails if an older run hides a newer one, if the order
// of the runs shows, or if two kernels at one place of the table cannot be told apart.
func TestThePageHasTheNewestVerdictOnEachKernel(t *testing.T) {
	runs := []report.Report{
		ran(1, cellOf("a", "UOS", "arm64", "5.10.0-1", verdict.NonConformant), cellOf("old", "UOS", "amd64", "4.19.90-1", verdict.Conformant)),
		ran(2, cellOf("a", "UOS", "arm64", "5.10.0-1", verdict.Conformant), cellOf("a", "UOS", "arm64", "5.10.0-2", verdict.Incomplete)),
		ran(3, cellOf("k", "Kylin", "arm64", "10.1.2", verdict.NonConformant), cellOf("none", "Kylin", "arm64", "", verdict.Incomplete)),
	}
	want, err := Compatibility(runs, language.English)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(runs)
	again, err := Compatibility(runs, language.English)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range want {
		if !bytes.Equal(f.Data, again[i].Data) {
			t.Errorf("%s depends on the order of the runs", f.Name)
		}
	}
	md, html := string(want[0].Data), string(want[1].Data)
	for _, line := range []string{
		"| Operating system | Linux | `amd64` | `arm64` |",
		"| `UOS` | 4.19 | **conformant** `4.19.90-1` | - |",
		"| `UOS` | 5.10 | - | **conformant** `5.10.0-1` `a`<br>**incomplete** `5.10.0-2` `a` |",
		"| `Kylin` | 10.1 | - | **non-conformant** `10.1.2` |",
		"| `Kylin` | - | - | **incomplete** `-` |",
		"| `a` | `arm64` | `5.10.0-1` | conformant | because | 2026-01-02 | `0.1.0` |",
	} {
		if !strings.Contains(md, line+"\n") {
			t.Errorf("no %q in\n%s", line, md)
		}
	}
	if strings.Contains(md, "2026-01-01") && strings.Count(md, "2026-01-01") != 1 {
		t.Errorf("the verdict of the older run is there:\n%s", md)
	}
	if n := strings.Count(html, `<span class="bad">`); n != 1 {
		t.Errorf("%d bad kernels in the table of the HTML page:\n%s", n, html)
	}
	zh, err := Compatibility(runs, language.Chinese)
	if err != nil || !strings.Contains(string(zh[0].Data), "**不符合** `10.1.2`") || !strings.Contains(string(zh[1].Data), `<html lang="zh">`) {
		t.Errorf("%v\n%s", err, zh[0].Data)
	}
}

// TestAPageShowsNoMarkupOfOthers: names in evidence are chosen by whoever made it.
func TestAPageShowsNoMarkupOfOthers(t *testing.T) {
	const hostile = "<script>alert(1)</script> | `x` [a](javascript:b) \x1b[8m"
	files, err := Compatibility([]report.Report{ran(1, cellOf(hostile, hostile, hostile, hostile, verdict.Conformant))}, language.English)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(files[1].Data), "<script>") {
		t.Error("the HTML page runs a script of others")
	}
	for line := range strings.Lines(string(files[0].Data)) {
		if strings.Contains(line, "alert") && !strings.Contains(line, "`` <script>") && !strings.Contains(line, "``<script>") || strings.Contains(line, "\x1b") {
			t.Errorf("markup of others: %s", line)
		}
	}
}

// TestAPageIsAboutWholeRunsOfKernels fails if a run that cannot say whether a kernel conforms is
// on the page.
func TestAPageIsAboutWholeRunsOfKernels(t *testing.T) {
	c := cellOf("a", "UOS", "arm64", "5.10.0-1", verdict.Conformant)
	defect, part, none := ran(1, c), ran(1, c), ran(1)
	defect.Defect = &report.Defect{Name: "stack-eperm"}
	part.Focus = "MS-001"
	emulated := c
	emulated.Target = "user"
	for want, r := range map[string]report.Report{"stack-eperm": defect, "MS-001": part, "no cell": none, "emulator": ran(1, emulated)} {
		if _, err := Compatibility([]report.Report{r}, language.English); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
