package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
)

// begun returns the folder of a run that was killed at once.
func begun(t *testing.T, flags map[string][]string) string {
	t.Helper()
	folder, err := evidence.Begin(t.TempDir(), time.Unix(1e9, 0), flags)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if err := folder.WriteRun(evidence.Run{Cells: []matrix.Cell{{Name: "a", Arch: "amd64"}}}); err != nil {
		t.Fatal(err)
	}
	return folder.Path()
}

// TestARunIsGoneOnWithAsItWasBegun fails if other flags slip in, or if a folder decides which
// programs of this machine run.
func TestARunIsGoneOnWithAsItWasBegun(t *testing.T) {
	for _, c := range []struct {
		recorded map[string][]string
		args     []string
		want     string
	}{
		{nil, []string{"--fresh"}, `the run was begun without --fresh, and now there is with --fresh "true"`},
		{map[string][]string{"focus": {"MS-003"}}, []string{"--focus", "MS-004"}, `the run was begun with --focus "MS-003", and now there is with --focus "MS-004"`},
		{map[string][]string{"supply": {"SW64_QEMU=/tmp/qemu"}}, nil, `with --supply "SW64_QEMU=/tmp/qemu"; give that again`},
		{map[string][]string{"guest-agent": {"/tmp"}}, nil, "give that again"},
		{map[string][]string{"nonsense": {"1"}}, nil, "which this mapstack does not know"},
		{map[string][]string{"out": {"/tmp"}}, nil, "which this mapstack does not know"},
		{map[string][]string{"fresh": {"perhaps"}}, nil, "perhaps"},
		{map[string][]string{"cell": {"nonsense"}}, nil, "unknown cell"}, // so the flag was taken from the folder
		{nil, []string{"--shard", "1/2"}, "it is not shard 1/2"},
		{nil, []string{"--repeat", "2"}, "repeat"},
		{nil, []string{"--json-events", "FOLDER/events.json"}, "would change the evidence"},
	} {
		folder := begun(t, c.recorded)
		args := append([]string{"run", "--resume", folder}, c.args...)
		for i := range args {
			args[i] = strings.Replace(args[i], "FOLDER", folder, 1)
		}
		_, err := execute(t, args...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c, err, c.want)
		}
		if code := exitCode(err); code != verdict.ExitInfrastructure {
			t.Errorf("%v: exit status %d", c, code)
		}
		again, err := evidence.Reopen(folder)
		if err != nil {
			t.Fatalf("%v: the folder is still held: %v", c, err)
		}
		again.Folder.Close()
	}
	if _, err := execute(t, "run", "--resume", t.TempDir()); err == nil || !strings.Contains(err.Error(), "give the folder of an interrupted run") {
		t.Error(err)
	}
}

func TestWhatIsPartOfNothingIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		"--shard 3/2":                                "with I from 1 to N",
		"--shard 1/99999":                            "with I from 1 to N",
		"--shard 1/9999":                             "use at most that many",
		"--shard 1/2 --target native":                "this run tests something else",
		"--durations x":                              "there is no --shard",
		"--shard 1/2 --durations /nowhere":           "/nowhere",
		"--repeat 0":                                 "from 1 to",
		"--repeat 2 --dry-run":                       "repeat",
		"--dry-run --target native":                  "has none; leave it out",
		"--dry-run -o yaml":                          "give text or json",
		"-o json":                                    "--output is about --dry-run",
		"--json-events 1 --cell amd64-debian12-6.1":  "descriptors 1 and 2",
		"--json-events 99 --cell amd64-debian12-6.1": "nothing can be written",
		"--json-events /nowhere/x --cell amd64-debian12-6.1": "/nowhere/x",
		"--rerun-failed /nowhere --cell amd64-debian12-6.1":  "cell rerun-failed",
		"--rerun-failed /nowhere --focus MS-003":             "focus rerun-failed",
		"--rerun-failed /nowhere":                            "/nowhere",
	} {
		_, err := execute(t, append([]string{"run", "--out", t.TempDir()}, strings.Fields(line)...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run %s: %v, want %q", line, err, want)
		}
	}
}

// TestEventsGoWhereTheyAreAskedFor fails if an event is lost, or if the caller's descriptor is
// closed.
func TestEventsGoWhereTheyAreAskedFor(t *testing.T) {
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	file := filepath.Join(t.TempDir(), "events")
	var shown []string
	for _, to := range []string{file, strconv.Itoa(int(pipe.Fd())), file} {
		o := onward{events: to}
		sink, done, err := o.tell(func(e progress.Event) { shown = append(shown, e.What) })
		if err != nil {
			t.Fatal(err)
		}
		sink(progress.Event{Stage: progress.Boot, What: "q35"})
		done()
	}
	if len(shown) != 3 {
		t.Errorf("people see %q", shown)
	}
	if _, err := pipe.WriteString("mine\n"); err != nil {
		t.Errorf("the descriptor of the caller is closed: %v", err)
	}
	pipe.Close()
	piped, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	filed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(piped), `"what":"q35"`); n != 1 || !strings.HasSuffix(string(piped), "\nmine\n") {
		t.Errorf("the pipe has %q", piped)
	}
	if n := strings.Count(string(filed), `"what":"q35"`); n != 2 {
		t.Errorf("the file has %q", filed)
	}
}

// TestShardsFollowThePastOfAReport fails if shards on different machines could overlap, or if
// a report does not balance them.
func TestShardsFollowThePastOfAReport(t *testing.T) {
	r := report.New(report.Header{Seconds: map[string]float64{"amd64-debian12-6.1": 100, "arm64-debian12-6.1": 40, "s390x-debian12-6.1": 30, "loong64-debian14-newest": 29}}, "", nil, nil, nil)
	file := filepath.Join(t.TempDir(), "report.json")
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	shard := func(text, durations string) []string {
		f := runFlags{}
		f.Cell = "amd64-debian12-6.1,arm64-debian12-6.1,s390x-debian12-6.1,loong64-debian14-newest"
		f.shard, f.durations = text, durations
		chosen, err := f.subjects()
		if err != nil {
			t.Fatal(err)
		}
		all, err := f.share(chosen.subjects)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range all {
			names = append(names, nameOf(s))
		}
		if f.part.String() != text || len(f.part.Cells) != 4 {
			t.Errorf("%+v", f.part)
		}
		return names
	}
	for _, durations := range []string{file, filepath.Dir(file)} {
		if got := shard("1/2", durations); !slices.Equal(got, []string{"amd64-debian12-6.1"}) {
			t.Errorf("the slow cell has company: %v", got)
		}
		if got := shard("2/2", durations); len(got) != 3 {
			t.Errorf("%v", got)
		}
	}
	if one, two := shard("1/2", ""), shard("2/2", ""); len(one) != 2 || len(two) != 2 || slices.Contains(two, one[0]) || slices.Contains(two, one[1]) {
		t.Errorf("%v and %v", one, two)
	}
	f := runFlags{}
	f.durations = file
	if _, err := f.seconds([]string{"another"}); err == nil || !strings.Contains(err.Error(), "no time of any of these cells") {
		t.Error(err)
	}
}

// TestWhatFailedIsRunAgain fails if a rerun leaves out what failed, or runs what did not.
func TestWhatFailedIsRunAgain(t *testing.T) {
	o := func(cell, id string, s verdict.Status, l verdict.Level) verdict.Outcome {
		return verdict.Outcome{Cell: cell, Suite: "mapstack", Claim: id, Probe: "p", Status: s, Level: l}
	}
	known := o("c", "MS-005", verdict.Fail, verdict.Must)
	known.Known = verdict.Known{Reason: "r", Link: "l"}
	floor := o("d", "MS-000", verdict.Fail, verdict.Must)
	floor.Probe = ""
	r := report.Report{Outcomes: []verdict.Outcome{
		o("a", "MS-001", verdict.Pass, verdict.Must), o("a", "MS-002", verdict.Fail, verdict.Must), o("a", "MS-003", verdict.Unsupported, verdict.Must),
		o("b", "MS-002", verdict.Pass, verdict.Must), o("b", "MS-004", verdict.NotRun, verdict.Should), known,
	}}
	cells, claims, all := failed(r, false)
	if !slices.Equal(claims, []string{"MS-002", "MS-004"}) || !cells["a"] || !cells["b"] || len(cells) != 2 || all {
		t.Errorf("%v %v %t", cells, claims, all)
	}
	if _, claims, _ := failed(r, true); !slices.Contains(claims, "MS-005") {
		t.Errorf("strict: %v", claims)
	}
	r.Outcomes = append(r.Outcomes, floor)
	if cells, claims, _ := failed(r, false); !cells["d"] || !slices.Contains(claims, "mapstack") {
		t.Errorf("%v %v", cells, claims)
	}
	folder := finishedRun(t, evidence.Run{}, nil)
	if _, err := execute(t, "run", "--rerun-failed", folder); err == nil || !strings.Contains(err.Error(), "nothing failed there") {
		t.Error(err)
	}
	run, given := given(t)
	given[0].Failure, given[0].Transcripts = nil, nil
	if _, err := execute(t, "run", "--rerun-failed", finishedRun(t, run, given)); err == nil || !strings.Contains(err.Error(), "is no cell of the matrix") {
		t.Error(err)
	}
}
