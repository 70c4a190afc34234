package run

import (
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/poc/stage0"
)

// TestStage0IsInTheEvidence fails if an agent is asked to run stage 0, which it does not
// know. It also fails if the transcript is lost, however the guest was started or failed.
func TestStage0IsInTheEvidence(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		fresh  bool
		boots  bool
		steps  int
		missed bool // its run has a failure
	}{
		"restored":       {"speaks early", false, true, 2, false},
		"booted":         {"speaks early", true, true, 2, false},
		"did not boot":   {"is alpha's", false, false, 2, false},
		"nor afresh":     {"is alpha's", true, false, 2, false},
		"said nothing":   {"behaves", false, true, 0, true},
		"nothing, fresh": {"behaves", true, true, 0, true},
		"died, silent":   {"panics", false, false, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait for fakes
			e, _ := scripted(t, c.script)
			e.Fresh = c.fresh
			folder, err := evidence.Create(t.TempDir(), testTime)
			if err != nil {
				t.Fatal(err)
			}
			results, err := e.Cells(t.Context(), bound(e, cell("c", "amd64", 64)), map[string][]string{"c": {"p", stage0.Probe}}, folder)
			if err != nil {
				t.Fatal(err)
			}
			got := results[0]
			if (got.Failure == nil) != c.boots {
				t.Fatalf("failure %v", got.Failure)
			}
			if n := len(got.Transcripts[stage0.Probe].Observations); n != c.steps {
				t.Errorf("%d steps, want %d", n, c.steps)
			}
			if run, told := got.Runs[stage0.Probe]; told != c.missed || told && run.Failure.Kind != failure.Protocol {
				t.Errorf("run %+v", run)
			}
			if c.boots && len(got.Transcripts["p"].Observations) == 0 {
				t.Error("the other probe did not run")
			}
		})
	}
}

// TestTheSnapshotKeepsWhatStage0Saw fails if a later run, which restores the guest without
// a boot, does not know what stage 0 observed.
func TestTheSnapshotKeepsWhatStage0Saw(t *testing.T) {
	e, events := scripted(t, "speaks early")
	for range 2 {
		folder, err := evidence.Create(t.TempDir(), testTime)
		if err != nil {
			t.Fatal(err)
		}
		results, err := e.Cells(t.Context(), bound(e, cell("c", "amd64", 64)), map[string][]string{"c": {stage0.Probe}}, folder)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(results[0].Transcripts[stage0.Probe].Observations); n != 2 {
			t.Errorf("%d steps", n)
		}
		_, cells, err := evidence.Load(written(t, folder, results))
		if err != nil || len(cells[0].Transcripts[stage0.Probe].Observations) != 2 {
			t.Errorf("the evidence on disk: %+v, %v", cells, err)
		}
	}
	if n := boots(*events); n != 1 {
		t.Errorf("%d boots, want 1", n)
	}
}

// written completes the evidence of a run on disk, and returns its folder.
func written(t *testing.T, folder evidence.Folder, cells []evidence.CellRun) string {
	t.Helper()
	var r evidence.Run
	for _, c := range cells {
		r.Cells = append(r.Cells, c.Cell)
	}
	if err := folder.WriteRun(r); err != nil {
		t.Fatal(err)
	}
	return folder.Path()
}
