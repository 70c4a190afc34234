//go:build boot

package suites

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/poc/wire"
)

// observed runs the probes of a suite on a real kernel, each in its own guest.
func observed(t *testing.T, fresh bool, suite string) evidence.CellRun {
	t.Helper()
	cells, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	if cells, err = matrix.Select(cells, matrix.Selection{Cell: "amd64-debian12-6.1"}); err != nil {
		t.Fatal(err)
	}
	probes, err := Probes(cells, suite)
	if err != nil {
		t.Fatal(err)
	}
	bench, err := workbench.Open(t.Context(), workbench.Options{Dir: ".", Data: fixtures.FS(), Sink: progress.Discard, Fresh: fresh})
	if err != nil {
		t.Fatal(err)
	}
	_, _, results, err := bench.Run(t.Context(), bench.Bind(cells...), probes, suite, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := evidence.Restored
	if fresh {
		want = evidence.Booted
	}
	for probe, r := range results[0].Runs {
		if r.Guest != want || r.Failure != nil {
			t.Fatalf("probe %s: guest %s, want %s: %v", probe, r.Guest, want, r.Failure)
		}
	}
	return results[0]
}

// steady returns what every run from one snapshot must repeat: the steps in their
// order, the errors, and the names of the values. Addresses, IDs and counts may
// differ.
func steady(t wire.Transcript) []string {
	var lines []string
	for _, o := range t.Observations {
		values := map[string]bool{}
		for name := range o.Values {
			values[name] = true
		}
		lines = append(lines, fmt.Sprintln(o.Step, o.Errno, o.Error, o.Ret == "", values, o.Unknown, o.Values["vmflags"], o.Values["perms"]))
	}
	return append(lines, fmt.Sprintf("%+v", t.Exit))
}

func TestBootTwoRestoresSayTheSame(t *testing.T) {
	for _, suite := range []string{"mapstack", "clone"} {
		first, second := observed(t, false, suite), observed(t, false, suite)
		if first.Guest.Snapshot == "" || first.Guest.Snapshot != second.Guest.Snapshot {
			t.Fatalf("snapshots %q and %q", first.Guest.Snapshot, second.Guest.Snapshot)
		}
		for probe, a := range first.Transcripts {
			b := second.Transcripts[probe]
			if d := cmp.Diff(steady(a), steady(b)); d != "" || len(a.Observations) == 0 {
				t.Errorf("probe %s, %d observations:\n%s", probe, len(a.Observations), d)
			}
			same := 0
			for i := range min(len(a.Observations), len(b.Observations)) {
				if cmp.Equal(a.Observations[i], b.Observations[i]) {
					same++
				}
			}
			t.Logf("probe %s: %d of %d observations are the same to the last digit", probe, same, len(a.Observations))
		}
	}
}

func TestBootARestoredGuestIsJudgedAsAFreshOne(t *testing.T) {
	judge := func(c evidence.CellRun) map[string]verdict.Status {
		outcomes, err := JudgeAll([]evidence.CellRun{c}, "clone", nil)
		if err != nil {
			t.Fatal(err)
		}
		statuses := map[string]verdict.Status{}
		for _, o := range outcomes {
			statuses[o.Claim] = o.Status
		}
		return statuses
	}
	restored, fresh := judge(observed(t, false, "clone")), judge(observed(t, true, "clone"))
	if d := cmp.Diff(restored, fresh); d != "" || len(restored) == 0 {
		t.Errorf("%d claims; restored against fresh:\n%s", len(restored), d)
	}
}
