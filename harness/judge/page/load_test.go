package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/load"
)

// loads returns a result in which a text of others is s.
func loads(t *testing.T, s string) string {
	t.Helper()
	c, err := load.LoadChapter(os.DirFS("../../../fixtures"))
	if err != nil {
		t.Fatal(err)
	}
	r := load.Result{Repetitions: 6, Milliseconds: 300, Revision: s, Loads: []string{"pool", "pool-gosched", "stack-small-pool", "loopback-1000", "spawn"}}
	for _, place := range []load.Place{load.Hardware, load.TCG} {
		target := load.Target{Name: string(place) + s, Place: place, OS: s, Machine: map[string]string{"cpu": s, "kernel": s}}
		for i, name := range r.Loads {
			run := load.Run{Load: name}
			for n := range 6 {
				run.Samples = append(run.Samples, load.Sample{Operations: uint64(1000 * (n + 1)), Nanos: 3e8, P50: 100, P99: 20000, P999: 3e6, Longest: 4e6, ThreadsMost: 9, CPUs: 1})
			}
			if i == 4 {
				run = load.Run{Load: name, Refused: &load.Refusal{Limit: s, Free: 1, Needs: 2}}
			}
			target.Runs = append(target.Runs, run)
		}
		r.Targets = append(r.Targets, target)
	}
	r.Conclude()
	var b bytes.Buffer
	if err := WriteLoad(&b, r, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestThePageOfLoadsStandsAlone fails if the page loads something, if a text of others becomes
// markup, or if a drawing is not well formed.
func TestThePageOfLoadsStandsAlone(t *testing.T) {
	text := loads(t, `"><script>alert(1)</script>`)
	if strings.Contains(text, "<script>alert") {
		t.Error("a text of a target is a script")
	}
	for _, bad := range []string{`src="http`, `href="http`, "url(", " style=", "NaN", "Inf"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if !strings.Contains(text, `class="emu"`) || !strings.Contains(text, "EMULATED") || !strings.Contains(text, "模拟") {
		t.Error("nothing is marked as emulated")
	}
	drawings := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(text, -1)
	if len(drawings) != 8 { // two for each load with samples
		t.Errorf("%d drawings", len(drawings))
	}
	for _, d := range drawings {
		x := xml.NewDecoder(strings.NewReader(d))
		for {
			_, err := x.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, d)
			}
		}
	}
}

// TestAPlotHasRoomForEverything fails if a mark is drawn outside of its axis.
func TestAPlotHasRoomForEverything(t *testing.T) {
	lines := []loadLine{
		{Target: "a", Summary: load.Summary{Rate: load.Interval{Value: 5, Low: 4, High: 9}, P50: 0, P99: 1, P999: 1}},
		{Target: strings.Repeat("长", 99), Summary: load.Summary{Rate: load.Interval{Value: 2e9}, P50: 3e9, P99: 4e9, P999: 7e12}},
	}
	for _, p := range []plot{ratePlot(lines), timePlot(lines)} {
		for _, r := range p.Rows {
			for _, x := range []float64{r.At, max(r.End, plotBegin), max(r.High, plotBegin), max(r.Mid, plotBegin)} {
				if x < plotBegin || x > plotEnd {
					t.Errorf("%v is outside of %d to %d: %+v", x, plotBegin, plotEnd, r)
				}
			}
			if len([]rune(r.Target)) > plotName || r.Bottom() > p.Height {
				t.Errorf("%+v", r)
			}
		}
	}
	if p := timePlot(nil); len(p.Ticks) != 0 {
		t.Errorf("%+v", p)
	}
	for n, want := range map[int]string{0: "1 ns", 2: "100 ns", 3: "1 µs", 8: "100 ms", 10: "10 s", 13: "10000 s"} {
		if got := powerOf(n); got != want {
			t.Errorf("10^%d ns is %q", n, got)
		}
	}
}
