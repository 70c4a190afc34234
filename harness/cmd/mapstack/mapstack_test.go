package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
)

// execute runs a command line as main does.
func execute(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestUnknownNamesListTheValidOnesAndExit69(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "--arch", "nonsense"}, "amd64, arm64, loong64"},
		{[]string{"run", "--cell", "nonsense"}, "amd64-debian12-6.1"},
		{[]string{"run", "--kernel", "2.4"}, "newest"},
		{[]string{"run", "--focus", "XX-001"}, "mapstack"},
		{[]string{"list", "--arch", "nonsense"}, "amd64"},
		{[]string{"fetch", "--cell", "nonsense"}, "amd64-debian12-6.1"},
		{[]string{"doctor", "--cell", "nonsense"}, "amd64-debian12-6.1"},
		{[]string{"probe", "nonsense", "facts"}, "amd64-debian12-6.1"},
		{[]string{"probe", "facts"}, "needs a cell and a probe"},
		{[]string{"probe", "--target", "board", "facts"}, "use native"},
		{[]string{"probe", "--arch", "arm64", "amd64-debian12-6.1", "facts"}, "are about a --target"},
		{[]string{"verdict", "/nowhere"}, "/nowhere"},
		{[]string{"nonsense"}, "unknown command"},
		{[]string{"run", "--nonsense"}, "unknown flag"},
		{[]string{"fetch", "--update-lock", "--arch", "amd64"}, "update-lock"},
	} {
		_, err := execute(t, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
		if code := exitCode(err); code != verdict.ExitInfrastructure {
			t.Errorf("%v: exit status %d", c.args, code)
		}
	}
}

func TestExitStatusIsTheVerdicts(t *testing.T) {
	for want, err := range map[int]error{
		0:  verdictError(verdict.Decision{ExitCode: verdict.ExitConformant}),
		1:  verdictError(verdict.Decision{ExitCode: verdict.ExitNonConformant}),
		2:  fmt.Errorf("wrapped: %w", verdictError(verdict.Decision{ExitCode: verdict.ExitIncomplete})),
		69: errors.New("the disk is full"),
	} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: exit status %d, want %d", err, got, want)
		}
	}
	// One probe's guest that died: 69 only when that is not the kernel's doing.
	for kind, want := range map[failure.Kind]int{failure.Panic: 2, failure.Hang: 2, failure.Interrupted: 2, failure.Infra: 69, failure.Protocol: 69} {
		if got := exitCode(fmt.Errorf("probe: %w", &failure.Failure{Kind: kind})); got != want {
			t.Errorf("%s: exit status %d, want %d", kind, got, want)
		}
	}
}

func TestListShowsEveryCell(t *testing.T) {
	out, err := execute(t, "list")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if !strings.Contains(out, c.Name+" ") {
			t.Errorf("no %s in\n%s", c.Name, out)
		}
	}
}

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

// TestOnlyHowKernelsAreIsRecorded fails if tests could be given a part, a defect
// or a failure as what real kernels do.
func TestOnlyHowKernelsAreIsRecorded(t *testing.T) {
	conformant := verdict.Decision{Verdict: verdict.Conformant}
	for want, r := range map[string]report.Report{
		"":                   {Verdict: conformant},
		"defect stack-eperm": {Verdict: conformant, Defect: &report.Defect{Name: "stack-eperm"}},
		"of MS-003 alone":    {Verdict: conformant, Focus: "MS-003"},
		"incomplete":         {Verdict: verdict.Decision{Verdict: verdict.Incomplete}},
		"is incomplete":      {Verdict: verdict.Decision{Verdict: verdict.NonConformant, Counts: verdict.Counts{Fail: 1, NotRun: 1}}},
	} {
		err := recordable(r)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
}

// TestAReportThatItsEvidenceDoesNotGiveIsRefused fails if a certificate could
// be forged in the one file that people read.
func TestAReportThatItsEvidenceDoesNotGiveIsRefused(t *testing.T) {
	written := func(focus, sha string, status verdict.Status, reason string) report.Report {
		return report.New(report.Header{Started: time.Now()}, focus,
			[]report.CellReport{{Name: "a", Kernel: report.Kernel{Provenance: report.Provenance{SHA256: sha}}}}, nil,
			[]verdict.Outcome{{Cell: "a", Suite: "s", Claim: "MS-001", Level: verdict.Must, Status: status, Reason: reason}})
	}
	honest := written("", "aa", verdict.Fail, "refused")
	path := filepath.Join(t.TempDir(), reportFile)
	for name, c := range map[string]struct {
		written report.Report
		want    string // "" to be accepted
	}{
		"the same, another day": {written("", "aa", verdict.Fail, "refused"), ""},
		"a fail made a pass":    {written("", "aa", verdict.Pass, ""), "MS-001 on cell a as pass"},
		"a milder reason":       {written("", "aa", verdict.Fail, "unlucky"), "another reason"},
		"another kernel":        {written("", "bb", verdict.Fail, "refused"), "kernels"},
		"another focus":         {written("s", "aa", verdict.Fail, "refused"), "focus"},
		"no outcomes":           {report.New(report.Header{}, "", nil, nil, nil), "0 outcomes"},
	} {
		b, err := json.Marshal(c.written)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		err = compare(path, honest)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
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
