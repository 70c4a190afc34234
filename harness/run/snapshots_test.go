package run

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/internal/fakeqemu"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/kernel"
	"github.com/mapstack/conformance/poc/wire"
)

func TestMain(m *testing.M) {
	fakeqemu.Play()
	os.Exit(m.Run())
}

// scripted returns an engine whose guests follow a script.
func scripted(t testing.TB, script string) (*Engine, *[]progress.Event) {
	t.Helper()
	e, events := engine(source{qemu: fakeqemu.Prefix(script)})
	e.kvmOnce.Do(func() { e.kvmReason = "the fake is no KVM" })
	var err error
	if e.Snapshots, err = cache.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return e, events
}

// observeAll runs three probes in a cell, each in a guest of its own, and returns the
// cell's evidence.
func observeAll(t *testing.T, e *Engine) evidence.CellRun { return observeThese(t, e, "p", "q", "r") }

func observeThese(t *testing.T, e *Engine, probes ...string) evidence.CellRun {
	t.Helper()
	folder, err := evidence.Create(t.TempDir(), testTime)
	if err != nil {
		t.Fatal(err)
	}
	results, err := e.Cells(t.Context(), bound(e, cell("c", "amd64", 64)), map[string][]string{"c": probes}, folder)
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

func boots(events []progress.Event) int {
	n := 0
	for _, ev := range events {
		if ev.Stage == progress.Boot && ev.End {
			n++
		}
	}
	return n
}

func TestEveryProbeRunHasAGuestOfItsOwn(t *testing.T) {
	for _, c := range []struct {
		script string
		fresh  bool
		guest  string // evidence.Restored or evidence.Booted, for every run
		reason string // why guests were not restored, in the evidence
		boots  int
	}{
		{"behaves", false, evidence.Restored, "", 1},
		{"behaves", true, evidence.Booted, "asked for", 3},
		{"restores another", false, evidence.Booted, "9.9.9-fake", 4},
		{"restores by a boot", false, evidence.Booted, "the guest booted again", 4},
		{"cannot be saved", false, evidence.Booted, "QMP migrate failed", 4},
	} {
		e, events := scripted(t, c.script)
		e.Fresh = c.fresh
		got := observeAll(t, e)
		if got.Failure != nil || got.Guest == nil || len(got.Transcripts) != 3 || len(got.Runs) != 3 {
			t.Fatalf("%s: failure %v, guest %+v, %d transcripts, %d runs", c.script, got.Failure, got.Guest, len(got.Transcripts), len(got.Runs))
		}
		for probe, r := range got.Runs {
			if r.Guest != c.guest || r.Failure != nil {
				t.Errorf("%s: probe %s: %+v, want %s", c.script, probe, r, c.guest)
			}
		}
		if !strings.Contains(got.Guest.BootReason, c.reason) || (c.reason == "") != (got.Guest.BootReason == "") {
			t.Errorf("%s: reason %q, want %q", c.script, got.Guest.BootReason, c.reason)
		}
		if n := boots(*events); n != c.boots {
			t.Errorf("%s: %d boots, want %d", c.script, n, c.boots)
		}
		if q := got.QEMU; q == nil || q.Accelerator != "tcg" {
			t.Errorf("%s: QEMU %+v", c.script, q)
		}
	}
}

// TestProbesThatLeaveNothingBehindShareAGuest fails if a probe gets a guest that another
// changed, or if each boots one of its own.
func TestProbesThatLeaveNothingBehindShareAGuest(t *testing.T) {
	for _, c := range []struct {
		script  string
		isolate bool
		guests  []string // of sigstack, sysconf and tracing, in the order in which they run
	}{
		{"behaves", false, []string{evidence.Restored, evidence.Shared, evidence.Shared}},
		{"behaves", true, []string{evidence.Restored, evidence.Restored, evidence.Restored}},
		{"leaves something", false, []string{evidence.Restored, evidence.Restored, evidence.Restored}},
		// The guest may be to blame, and the probe runs again in another one.
		{"dies under a second probe", false, []string{evidence.Restored, evidence.Restored, evidence.Restored}},
		{"cannot be saved", false, []string{evidence.Booted, evidence.Shared, evidence.Shared}},
	} {
		e, _ := scripted(t, c.script)
		e.Isolate = c.isolate
		got := observeThese(t, e, "sigstack", "sysconf", "tracing")
		if got.Failure != nil || len(got.Transcripts) != 3 {
			t.Fatalf("%s: failure %v, %d transcripts", c.script, got.Failure, len(got.Transcripts))
		}
		for i, probe := range []string{"sigstack", "sysconf", "tracing"} {
			if r := got.Runs[probe]; r.Guest != c.guests[i] || r.Failure != nil || r.ResidentBytes == 0 {
				t.Errorf("%s: probe %s: %+v, want %s", c.script, probe, r, c.guests[i])
			}
			if r := got.Runs[probe]; (r.Earlier != nil) != (c.script == "dies under a second probe" && i > 0) {
				t.Errorf("%s: probe %s: the earlier failure is %v", c.script, probe, r.Earlier)
			}
		}
	}
}

// TestProbesOfLimitsShareAGuestInTheirOrder fails if they run where other probes do, or if
// newosproc meets what threadlimits left.
func TestProbesOfLimitsShareAGuestInTheirOrder(t *testing.T) {
	for _, c := range []struct {
		isolate            bool
		first, last, other string // guests of newosproc, threadlimits and sysconf
	}{
		{false, evidence.Restored, evidence.Shared, evidence.Restored},
		{true, evidence.Restored, evidence.Restored, evidence.Restored},
	} {
		e, _ := scripted(t, "behaves")
		e.Isolate = c.isolate
		got := observeThese(t, e, "threadlimits", "sysconf", "newosproc")
		for probe, want := range map[string]string{"newosproc": c.first, "threadlimits": c.last, "sysconf": c.other} {
			if r := got.Runs[probe]; r.Guest != want || r.Failure != nil {
				t.Errorf("isolate %v: probe %s: %+v, want %s", c.isolate, probe, r, want)
			}
		}
	}
}

func TestASnapshotServesTheNextRunAndOnlyItsOwnGuest(t *testing.T) {
	e, events := scripted(t, "behaves")
	first := observeAll(t, e)
	if again := observeAll(t, e); boots(*events) != 1 || again.Guest.Snapshot != first.Guest.Snapshot {
		t.Errorf("%d boots, snapshots %q and %q", boots(*events), first.Guest.Snapshot, again.Guest.Snapshot)
	}
	o := &store{factory: &factory{engine: e, cell: cell("c", "amd64", 64)}}
	if err := o.gather(t.Context(), func(context.Context) (kernel.Image, error) { return kernel.Image{Path: "/nowhere/kernel"}, nil }); err != nil {
		t.Fatal(err)
	}
	seen := []string{}
	for _, change := range []func(){
		func() {},
		func() { o.parts.emulator.Build += "x" },
		func() { o.parts.kernel.ImageSHA256 += "x" },
		func() { o.parts.guest.Key += "x" },
		func() { o.config.Memory++ },
		func() { o.config.CPUs++ },
		func() { o.config.Machine.CPU = "other" },
		func() { o.config.Machine.Unsaved = []arch.Register{{Read: 1, Write: 1, Bytes: 1}} },
	} {
		change()
		key, err := o.key()
		if err != nil || slices.Contains(seen, key) {
			t.Errorf("after %d changes: key %s, %v, known before: %v", len(seen), key, err, seen)
		}
		seen = append(seen, key)
	}
}

func TestASnapshotThatNobodyCouldRestoreIsMadeAgain(t *testing.T) {
	e, events := scripted(t, "restores another")
	observeAll(t, e)
	once := boots(*events)
	observeAll(t, e)
	if n := boots(*events); n != 2*once {
		t.Errorf("%d boots, then %d more: want as many, one of them for a new snapshot", once, n-once)
	}
}

func TestAProbeThatKillsItsGuestHarmsNoOther(t *testing.T) {
	e, _ := scripted(t, "dies under a probe")
	got := observeAll(t, e)
	if got.Failure != nil || len(got.Runs) != 3 {
		t.Fatalf("failure %v, %d of 3 probes were run", got.Failure, len(got.Runs))
	}
	for probe, r := range got.Runs {
		if _, has := got.Transcripts[probe]; has || r.Failure == nil || r.Failure.Kind != failure.Oops {
			t.Errorf("probe %s: transcript %v, %+v", probe, has, r)
		}
	}
}

func recall(t *testing.T, o *Opened, defect string) (transcript wire.Transcript, run evidence.ProbeRun, err error) {
	t.Helper()
	err = o.Series(t.Context(), func(s *Series) (err error) {
		transcript, run, err = s.Recall(t.Context(), "p", defect)
		return err
	})
	return transcript, run, err
}

func TestATrialIsRecalledUnlessItFailed(t *testing.T) {
	for script, starts := range map[string]int{"behaves": 1, "dies under a probe": 2} {
		e, _ := scripted(t, script)
		o, err := e.Open(t.Context(), bound(e, cell("c", "amd64", 64))[0], io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		fresh := 0
		var said []wire.Transcript
		for range 2 {
			transcript, run, err := recall(t, o, "some-defect")
			if err != nil {
				t.Fatal(err)
			}
			if run.StartSeconds > 0 {
				fresh++
			}
			if (run.Failure == nil) != (script == "behaves") {
				t.Errorf("%s: %v", script, run.Failure)
			}
			said = append(said, transcript)
		}
		if d := cmp.Diff(said[0], said[1]); fresh != starts || d != "" {
			t.Errorf("%s: %d guests were started, want %d\n%s", script, fresh, starts, d)
		}
		if _, run, err := recall(t, o, ""); err != nil || run.StartSeconds == 0 {
			t.Errorf("%s: a run without a defect was recalled: %v", script, err)
		}
	}
}
