package suites

import (
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// TestAKernelThatStartsNoAgentIsJudgedOnStage0 fails if the observations of stage 0
// decide nothing when the agent never starts, or decide claims of other suites.
func TestAKernelThatStartsNoAgentIsJudgedOnStage0(t *testing.T) {
	said := wire.Transcript{Probe: stage0.Probe, Observations: []wire.Observation{
		{Step: stage0.Unknown, Errno: 38, Error: "ENOSYS"}, {Step: stage0.WouldBlock, Errno: 35}}}
	outcomes, err := JudgeAll([]evidence.CellRun{{Cell: matrix.Cell{Name: "c", Arch: "loong64"},
		Failure:     &failure.Failure{Kind: failure.Panic, Message: "it died"},
		Transcripts: map[string]wire.Transcript{stage0.Probe: said}}}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]verdict.Status{"SZ-006": verdict.Pass, "SZ-007": verdict.Fail, "SZ-001": verdict.Error, "MS-001": verdict.NotRun}
	for _, o := range outcomes {
		if status, asked := want[o.Claim]; asked && o.Status != status {
			t.Errorf("%s: %s, want %s: %s", o.Claim, o.Status, status, o.Reason)
		}
		delete(want, o.Claim)
		if o.Suite != "stage0" && o.Status != verdict.NotRun && o.Status != verdict.Unsupported {
			t.Errorf("%s: %s", o.Claim, o.Status)
		}
	}
	if len(want) > 0 {
		t.Errorf("no outcome of %v", want)
	}
}
