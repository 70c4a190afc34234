package page

import (
	"fmt"
	"testing"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

// large returns a report with 10,000 outcomes: 250 claims of 10 suites on 40 cells, with what
// 25 probes observed on each. Every 50th outcome is no pass, and every 10th observation differs.
func large() (report.Report, []evidence.CellRun) {
	var cells []report.CellReport
	var ran []evidence.CellRun
	var claims []report.Claim
	var outcomes []verdict.Outcome
	statuses := []verdict.Status{verdict.Fail, verdict.Unsupported, verdict.Error, verdict.NotRun}
	for k := range 40 {
		name := fmt.Sprintf("amd64-debian12-6.%d", k)
		cells = append(cells, report.CellReport{Name: name, Arch: "amd64", OS: "Debian 12", Machine: "q35", PageSize: 4096})
		one := evidence.CellRun{Cell: matrix.Cell{Name: name, Arch: "amd64"}, Transcripts: map[string]wire.Transcript{}}
		for c := range 250 {
			if k == 0 {
				claims = append(claims, report.Claim{ID: fmt.Sprintf("MS-%03d", c), Suite: fmt.Sprintf("suite%d", c/25), Level: verdict.Must,
					English: fmt.Sprintf("A mapping with MAP_STACK is as large as asked for, in case %d.", c), Chinese: fmt.Sprintf("情形 %d 中，带 MAP_STACK 的映射与请求的大小相同。", c), Source: "mmap(2)"})
			}
			n := k*250 + c
			o := verdict.Outcome{Cell: name, Suite: claims[c].Suite, Claim: claims[c].ID, Level: verdict.Must, Status: verdict.Pass, Expected: "rw-p", Observed: "rw-p", Expectations: 7,
				Probe: fmt.Sprintf("p%d", c/10), Where: verdict.Where{Path: fmt.Sprintf("cells/%s/transcripts/p%d.json", name, c/10), Step: fmt.Sprintf("map.%d", c%10), Read: []string{fmt.Sprintf("map.%d", c%10), "plain"}}}
			if n%10 == 0 {
				o.Expected, o.Observed = fmt.Sprint(n), fmt.Sprint(n)
			}
			if n%50 == 0 {
				o.Status, o.Reason = statuses[n/50%4], fmt.Sprintf("the mapping %d is not as large", n)
			}
			outcomes = append(outcomes, o)
			t := one.Transcripts[o.Probe]
			if c%10 == 0 {
				t.Observations = append(t.Observations, wire.Observation{Step: "plain", Call: "mmap", Ret: fmt.Sprintf("0x7f%07x", n)})
			}
			t.Observations = append(t.Observations, wire.Observation{Step: o.Where.Step, Call: "mmap", Ret: fmt.Sprintf("0x7e%07x", n), Values: map[string]string{"perms": "rw-p", "size": "8192"}})
			one.Transcripts[o.Probe] = t
		}
		ran = append(ran, one)
	}
	return report.New(report.Header{}, "", cells, claims, outcomes), ran
}

// TestTenThousandOutcomesAreASmallPage fails if a large run makes a page that a browser does
// not open at once.
func TestTenThousandOutcomesAreASmallPage(t *testing.T) {
	r, cells := large()
	text := render(t, r, cells, nil)
	if d := read(t, text); len(d.Outcomes) != 10_000 || len(text) > 4<<20 {
		t.Errorf("%d outcomes in %d bytes", len(d.Outcomes), len(text))
	}
}

// TestTenThousandOutcomesAreUsable fails if a browser does not show and filter a large page. It
// logs how long that takes, in milliseconds: go test -v -run Usable.
func TestTenThousandOutcomesAreUsable(t *testing.T) {
	modules := reader(t, "playwright-core")
	const script = browse + `
run(async b => {
  const p = await b.newPage({viewport: {width: 1280, height: 900}}), ms = {};
  const start = Date.now();
  await p.goto("file://" + input.files.large + "?lang=en");
  await p.evaluate(() => new Promise(r => requestAnimationFrame(() => setTimeout(r))));
  ms.open = Date.now() - start;
  // painted runs something in the page, and returns how long that takes until it is seen.
  const painted = (f, arg) => p.evaluate(async ([f, arg]) => {
    const t = performance.now();
    await eval(f)(arg);
    await new Promise(r => requestAnimationFrame(() => setTimeout(r)));
    return Math.round(performance.now() - t);
  }, ["(" + f + ")", arg]);
  const filter = text => painted(text => {
    const seen = new Promise(r => new MutationObserver((_, o) => { o.disconnect(); r(); }).observe(document.getElementById("found"), {childList: true}));
    const q = document.getElementById("q");
    q.value = text;
    q.dispatchEvent(new Event("input"));
    return seen;
  }, text);
  const found = () => p.locator("#found").textContent();
  ms.search = await filter("case 17.");
  const one = await found();
  ms.searchAll = await filter("map_stack");
  const all = await found();
  ms.suite = await painted(() => document.querySelector("[data-suite]").click());
  ms.suites = await painted(() => { for (let b; b = document.querySelector("[data-suite][aria-expanded=false]");) b.click(); });
  const marks = await p.locator("td button[data-id]").count();
  ms.searchOpened = await filter("case 1");
  ms.status = await painted(() => { const s = document.getElementById("f-status"); s.value = "fail"; s.dispatchEvent(new Event("change")); });
  const failed = await found();
  ms.evidence = await painted(() => { location.hash = "MS-007@amd64-debian12-6.7"; return new Promise(r => addEventListener("hashchange", r, {once: true})); });
  ms.language = await painted(() => document.getElementById("lang").click());
  return {one, all, failed, marks, ms, nodes: await p.evaluate(() => document.querySelectorAll("*").length)};
});`
	r, cells := large()
	text := render(t, r, cells, nil)
	var got struct {
		One, All, Failed string
		Marks, Nodes     int
		MS               map[string]int
	}
	answer(t, modules, script, opened(t, map[string]string{"large": text}), &got)
	if want := [3]string{"120 of 10000 results", "10000 of 10000 results", "50 of 10000 results"}; [3]string{got.One, got.All, got.Failed} != want || got.Marks != 10_000 {
		t.Errorf("%+v, want %q", got, want)
	}
	t.Logf("%d bytes; milliseconds: %v", len(text), got.MS)
}
