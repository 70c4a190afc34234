//go:build boot

package suites

import (
	"cmp"
	"fmt"
	"os"
	"testing"

	diff "github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/poc/wire"
)

// way is how the guests of probes are made.
type way struct {
	fresh   bool // booted, not restored
	isolate bool // one for every probe
}

// observed runs the probes of a suite, or of all suites, on a real kernel.
func observed(t *testing.T, cell string, w way, suite string) evidence.CellRun {
	t.Helper()
	cells, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	if cells, err = matrix.Select(cells, matrix.Selection{Cell: cell}); err != nil {
		t.Fatal(err)
	}
	probes, err := Probes(cells, suite)
	if err != nil {
		t.Fatal(err)
	}
	bench, err := workbench.Open(t.Context(), workbench.Options{Dir: ".", Data: fixtures.FS(), Sink: progress.Discard, Fresh: w.fresh, Isolate: w.isolate})
	if err != nil {
		t.Fatal(err)
	}
	_, _, results, err := bench.Run(t.Context(), workbench.Order{Subjects: bench.Bind(cells...), Probes: probes, Focus: suite, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Failure != nil {
		t.Fatal(results[0].Failure)
	}
	want := evidence.Restored
	if w.fresh {
		want = evidence.Booted
	}
	shared := 0
	for probe, r := range results[0].Runs {
		if r.Failure != nil {
			t.Fatalf("probe %s: %v", probe, r.Failure)
		}
		switch r.Guest {
		case want, evidence.Saved, "": // stage 0 has no guest
		case evidence.Shared:
			shared++
		default:
			t.Fatalf("probe %s: guest %s, want %s", probe, r.Guest, want)
		}
		if left := results[0].Transcripts[probe].Exit.Left; left != nil {
			t.Logf("probe %s left: %q", probe, left)
		}
	}
	if w.isolate && shared > 0 {
		t.Fatalf("%d probes shared a guest", shared)
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
		first, second := observed(t, oneCell, way{}, suite), observed(t, oneCell, way{}, suite)
		if first.Guest.Snapshot == "" || first.Guest.Snapshot != second.Guest.Snapshot {
			t.Fatalf("snapshots %q and %q", first.Guest.Snapshot, second.Guest.Snapshot)
		}
		for probe, a := range first.Transcripts {
			b := second.Transcripts[probe]
			if d := diff.Diff(steady(a), steady(b)); d != "" || len(a.Observations) == 0 {
				t.Errorf("probe %s, %d observations:\n%s", probe, len(a.Observations), d)
			}
			same := 0
			for i := range min(len(a.Observations), len(b.Observations)) {
				if diff.Equal(a.Observations[i], b.Observations[i]) {
					same++
				}
			}
			t.Logf("probe %s: %d of %d observations are the same to the last digit", probe, same, len(a.Observations))
		}
	}
}

const oneCell = "amd64-debian12-6.1"

func statuses(t *testing.T, c evidence.CellRun, suite string) map[string]verdict.Status {
	t.Helper()
	outcomes, err := JudgeAll([]evidence.CellRun{c}, suite, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(outcomes) == 0 {
		t.Fatal("nothing was judged")
	}
	statuses := map[string]verdict.Status{}
	for _, o := range outcomes {
		statuses[o.Claim] = o.Status
	}
	return statuses
}

func TestBootARestoredGuestIsJudgedAsAFreshOne(t *testing.T) {
	restored, fresh := statuses(t, observed(t, oneCell, way{}, "clone"), "clone"), statuses(t, observed(t, oneCell, way{fresh: true}, "clone"), "clone")
	if d := diff.Diff(restored, fresh); d != "" {
		t.Errorf("restored against fresh:\n%s", d)
	}
}

// TestBootASharedGuestIsJudgedAsOneForEachProbe fails if a probe leaves something behind that
// changes what another observes. MAPSTACK_CELL names other cells, `.*` all of them.
func TestBootASharedGuestIsJudgedAsOneForEachProbe(t *testing.T) {
	all, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	cells, err := matrix.Select(all, matrix.Selection{Cell: cmp.Or(os.Getenv("MAPSTACK_CELL"), oneCell)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		t.Run(c.Name, func(t *testing.T) {
			shared, alone := statuses(t, observed(t, c.Name, way{}, ""), ""), statuses(t, observed(t, c.Name, way{isolate: true}, ""), "")
			if d := diff.Diff(shared, alone); d != "" {
				t.Errorf("shared against isolated:\n%s", d)
			}
		})
	}
}
