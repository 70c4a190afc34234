package display

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/harness/progress"
)

func TestPlainLinesSayWhatBeganAndHowItEnded(t *testing.T) {
	var out bytes.Buffer
	p := newPlain(&out)
	now := time.Unix(1e9, 0)
	p.now = func() time.Time { return now }
	download := progress.Event{Stage: progress.Download, What: "linux-image", Total: 70 << 20}
	p.sink(download)
	for i := range 5 {
		now = now.Add(time.Second)
		download.Done = int64(i) << 20
		p.sink(download)
	}
	download.Done, download.End = 70<<20, true
	p.sink(download)
	p.sink(progress.Event{Cell: "a", Stage: progress.Probe, What: "facts", Done: 1, Total: 5})
	p.sink(progress.Event{Cell: "a", Stage: progress.Boot, What: "q35", End: true, Err: errors.New("hang: no answer\n  the console's last lines")})
	p.sink(progress.Event{Stage: progress.Warning, What: "forky is stale", End: true})
	want := []string{
		"download linux-image (70.0 MiB)",
		"download linux-image: 70.0 MiB in 5.0s (14.0 MiB/s)",
		"probe facts (1 of 5)",
		"boot q35 failed: hang: no answer",
		"warning forky is stale",
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for i, line := range lines {
		if !strings.HasSuffix(line, want[i]) {
			t.Errorf("line %d is %q, want %q", i, line, want[i])
		}
	}
}

func TestLiveRowsEndWithTheRun(t *testing.T) {
	var out bytes.Buffer
	l := newLive(&out, 120)
	for done := range 6 {
		l.sink(progress.Event{Cell: "cell-a", Stage: progress.Probe, What: "facts", Done: int64(done), Total: 5, End: true})
	}
	l.sink(progress.Event{Cell: "cell-a", Stage: progress.Finished, End: true})
	l.sink(progress.Event{Cell: "cell-b", Stage: progress.Finished, End: true, Err: errors.New("panic: it died")})
	l.sink(progress.Event{Stage: progress.Warning, What: "forky is stale"})
	l.close()
	for _, want := range []string{"cell-a: finished", "5 probes", "cell-b: finished: panic: it died", "forky is stale"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestNoLiveRowIsWiderThanTheTerminal fails if rows wrap: each frame would then
// leave a line behind, and the run scroll away.
func TestNoLiveRowIsWiderThanTheTerminal(t *testing.T) {
	for _, columns := range []int{0, 40, 80, 150} {
		var out bytes.Buffer
		l := newLive(&out, columns)
		for _, e := range []progress.Event{
			{Cell: "mips64le-debian12-6.1-loongson3", Stage: progress.Probe, What: "mapstack", Done: 4, Total: 5},
			{Cell: "mips64le-debian12-6.1-malta", Stage: progress.Finished, End: true, Err: errors.New(strings.Repeat("no route to host ", 20))},
			{Stage: progress.Download, What: "linux-binary-7.2.12+deb14-powerpc64le-64k 7.2.12-1", Done: 5 << 20, Total: 70 << 20},
			{Stage: progress.Build, What: "guest programs for mips64le", End: true},
		} {
			l.sink(e)
		}
		l.close()
		if columns == 0 {
			columns = unknownWidth
		}
		drawn := 0
		for _, line := range strings.Split(out.String(), "\n") {
			if line = text.StripEscape(line); strings.TrimSpace(line) != "" {
				drawn++
			}
			if w := text.StringWidthWithoutEscSequences(line); w >= columns {
				t.Errorf("a row of %d columns on %d: %q", w, columns, line)
			}
		}
		if drawn < 4 {
			t.Errorf("%d rows drawn:\n%s", drawn, out.String())
		}
	}
}

// TestARowNamesTheProbesThatRun fails if a cell seems to be at a probe that has
// ended while others run.
func TestARowNamesTheProbesThatRun(t *testing.T) {
	l := &live{probes: map[string][]string{}}
	for _, step := range []struct {
		probe string
		end   bool
		want  string
	}{
		{"a", false, "a"}, {"b", false, "a, b"}, {"a", true, "b"}, {"c", false, "b, c"}, {"b", true, "c"}, {"c", true, "c"},
	} {
		if got := l.running("cell", progress.Event{Stage: progress.Probe, What: step.probe, End: step.end}); got != step.want {
			t.Errorf("after %+v: %q", step, got)
		}
	}
}

// TestALogSaysEachVerdictAndHowFarTheRunIs fails if a log keeps a verdict to itself until the
// end, or fills with lines about the time left.
func TestALogSaysEachVerdictAndHowFarTheRunIs(t *testing.T) {
	var out bytes.Buffer
	p := newPlain(&out)
	for _, e := range []progress.Event{
		{Stage: progress.Whole, Total: 2, What: "about 3 min left"},
		{Stage: progress.Whole, Total: 2, What: "about 2 min left"},
		{Cell: "a", Stage: progress.Finished, What: "non-conformant, as known", End: true},
		{Stage: progress.Whole, Done: 1, Total: 2, What: "about 50 s left"},
		{Cell: "b", Stage: progress.Finished, What: "incomplete", End: true, Err: errors.New("panic: it died\n  the console")},
		{Stage: progress.Whole, Done: 2, Total: 2, End: true},
	} {
		p.sink(e)
	}
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		got = append(got, strings.Join(strings.Fields(line)[1:], " "))
	}
	want := []string{"- 0 of 2 cells done, about 3 min left", "a finished: non-conformant, as known", "- 1 of 2 cells done, about 50 s left",
		"b finished: incomplete: panic: it died", "- 2 of 2 cells done"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestATerminalShowsEachVerdictAndHowFarTheRunIs fails if the row of the whole run ends early,
// or appears again for every time left.
func TestATerminalShowsEachVerdictAndHowFarTheRunIs(t *testing.T) {
	var out bytes.Buffer
	l := newLive(&out, 120)
	for _, e := range []progress.Event{
		{Stage: progress.Whole, Total: 2, What: "about 3 min left"},
		{Cell: "a", Stage: progress.Finished, What: "non-conformant, as known", End: true},
		{Stage: progress.Whole, Done: 1, Total: 2, What: "about 50 s left"},
		{Cell: "b", Stage: progress.Finished, What: "incomplete", End: true, Err: errors.New("panic: it died")},
		{Stage: progress.Whole, Done: 2, Total: 2, End: true},
	} {
		l.sink(e)
	}
	if len(l.rows) != 3 {
		t.Errorf("%d rows, want one for the run and one for each cell", len(l.rows))
	}
	l.close()
	for _, want := range []string{"2 of 2 cells done", "2 cells", "a: non-conformant, as known", "b: incomplete: panic: it died"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestQuietAndVerbose fails if somebody who asked for quiet is not warned, or if verbose hides the
// rest of an error.
func TestQuietAndVerbose(t *testing.T) {
	for talk, want := range map[Talk]string{
		Quiet:   "warning forky is stale\n",
		Verbose: "boot q35\nboot q35 failed: hang\n    the console\nwarning forky is stale\n",
	} {
		file, err := os.Create(filepath.Join(t.TempDir(), "log"))
		if err != nil {
			t.Fatal(err)
		}
		d := New(file, talk)
		d.Sink(progress.Event{Cell: "a", Stage: progress.Boot, What: "q35"})
		d.Sink(progress.Event{Cell: "a", Stage: progress.Boot, What: "q35", End: true, Err: errors.New("hang\nthe console")})
		d.Sink(progress.Event{Stage: progress.Warning, What: "forky is stale", End: true})
		d.Close()
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(strings.TrimSpace(want), "\n") {
			if !strings.Contains(string(text), part) {
				t.Errorf("%d: no %q in\n%s", talk, part, text)
			}
		}
		if n, wanted := strings.Count(string(text), "\n"), strings.Count(want, "\n"); n != wanted {
			t.Errorf("%d: %d lines, want %d:\n%s", talk, n, wanted, text)
		}
	}
}
