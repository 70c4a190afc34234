package run

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/internal/fakeqemu"
	"github.com/mapstack/conformance/harness/judge/evidence"
)

func stumbling(t *testing.T, times int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "left")
	if err := os.WriteFile(file, make([]byte, times), 0o644); err != nil {
		t.Fatal(err)
	}
	return fakeqemu.Stumbles(file)
}

// TestAnErrorOfOursIsTriedAgainAndShown fails if a QEMU that a busy host did not run in time
// costs a verdict, or if nobody learns of it.
func TestAnErrorOfOursIsTriedAgainAndShown(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		e, _ := scripted(t, stumbling(t, retries))
		e.Fresh = fresh
		got := observeAll(t, e)
		if got.Failure != nil || len(got.Transcripts) != 3 || len(got.Retried) != retries {
			t.Fatalf("fresh %t: failure %v, %d transcripts, %d retries", fresh, got.Failure, len(got.Transcripts), len(got.Retried))
		}
		for _, f := range got.Retried {
			if f.Kind != failure.Infra || !strings.Contains(f.Message, "not run in time") {
				t.Errorf("it was tried again after %v", f)
			}
		}
		for probe, r := range got.Runs {
			if r.Guest != evidence.Restored && !fresh || r.Failure != nil {
				t.Errorf("fresh %t: probe %s: %+v", fresh, probe, r)
			}
		}
	}
}

func TestAnErrorThatComesAgainIsGivenUp(t *testing.T) {
	e, _ := scripted(t, "answers another run")
	got := observeAll(t, e)
	if got.Failure != nil || len(got.Runs) != 3 {
		t.Fatalf("failure %v, %d runs", got.Failure, len(got.Runs))
	}
	for probe, r := range got.Runs {
		wanted := retries
		if probe == "facts" {
			wanted = 0
		}
		if failed := r.Failure != nil && r.Failure.Kind == failure.Protocol; failed != (wanted > 0) || len(r.Earlier) != wanted {
			t.Errorf("probe %s: %v after %d attempts", probe, r.Failure, len(r.Earlier))
		}
	}
}

func TestWhatTheKernelDidIsNotTriedAgain(t *testing.T) {
	for _, c := range []struct {
		err   error
		tries int
	}{
		{&failure.Failure{Kind: failure.Protocol}, 1 + retries},
		{&failure.Failure{Kind: failure.Infra}, 1 + retries},
		{&failure.Failure{Kind: failure.Panic}, 1},
		{&failure.Failure{Kind: failure.Hang}, 1},
		{&failure.Failure{Kind: failure.Missing}, 1},
		{errors.New("the disk is full"), 1},
		{nil, 1},
	} {
		tries, noted := 0, 0
		err := again(t.Context(), func(*failure.Failure) { noted++ }, func() error { tries++; return c.err })
		if !errors.Is(err, c.err) || tries != c.tries || noted != c.tries-1 {
			t.Errorf("%v: %d tries, %d noted, %v", c.err, tries, noted, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tries := 0
	_ = again(ctx, func(*failure.Failure) {}, func() error { tries++; return &failure.Failure{Kind: failure.Infra} })
	if tries != 1 {
		t.Errorf("a stopped run tries %d times", tries)
	}
}

// TestADoubtedProbeIsAskedOnceMore fails if a probe that left a claim undecided is not repeated,
// is repeated for ever, or loses what it saw before because it could not be repeated.
func TestADoubtedProbeIsAskedOnceMore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "left")
	for name, c := range map[string]struct {
		stumbles int // how often QEMU cannot be started after the first round
		defect   string
		earlier  int
	}{
		"repeated":               {earlier: 1},
		"repeated at the second": {stumbles: 1, earlier: 1},
		"not repeatable":         {stumbles: 99, earlier: 2},
		"below a defect":         {defect: "stack-eperm"},
	} {
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		e, _ := scripted(t, fakeqemu.Stumbles(file))
		e.Fresh, e.Defect = true, c.defect
		asked := 0
		e.Undecided = func(got evidence.CellRun) map[string]string {
			if asked++; len(got.Transcripts) != 3 {
				t.Errorf("%s: it was asked after %d probes", name, len(got.Transcripts))
			}
			if err := os.WriteFile(file, make([]byte, c.stumbles), 0o644); err != nil {
				t.Fatal(err)
			}
			return map[string]string{"q": "claim X could not be decided", "none": "it did not run"}
		}
		folder, err := evidence.Create(t.TempDir(), testTime)
		if err != nil {
			t.Fatal(err)
		}
		results, err := e.Cells(t.Context(), bound(e, cell("c", "amd64", 64)), map[string][]string{"c": {"p", "q", "r"}}, folder)
		if err != nil {
			t.Fatal(err)
		}
		got := results[0]
		if want := min(1, c.earlier); asked != want || got.Failure != nil || len(got.Transcripts) != 3 || len(got.Runs) != 3 {
			t.Errorf("%s: asked %d times, %v, %d transcripts, %d runs", name, asked, got.Failure, len(got.Transcripts), len(got.Runs))
		}
		for probe, r := range got.Runs {
			if probe != "q" && r.Earlier != nil || r.Failure != nil {
				t.Errorf("%s: probe %s: %+v", name, probe, r)
			}
		}
		earlier := got.Runs["q"].Earlier
		if len(earlier) != c.earlier || c.earlier > 0 && (earlier[0].Message != "claim X could not be decided" || !earlier[0].Ours()) {
			t.Errorf("%s: the report would say %v", name, earlier)
		}
		if r, err := evidence.Replay(os.DirFS(folder.Path()), results); err != nil || r.Compared != 3 {
			t.Errorf("%s: the console logs show %d transcripts: %v", name, r.Compared, err)
		}
	}
}
