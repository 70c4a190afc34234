package run

import (
	"context"
	"errors"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// stage0 returns what stage 0 observed. Stage 0 ran once, before any probe.
func (o *Opened) stage0(ctx context.Context) (wire.Transcript, evidence.ProbeRun) {
	t, spoke := o.place.early(ctx)
	if !spoke {
		return t, evidence.ProbeRun{Failure: &failure.Failure{Kind: failure.Protocol,
			Message: "the guest's console shows nothing of stage 0, which every guest starts with where harness/guest/assembler can assemble it; read console/boot.log"}}
	}
	return t, evidence.ProbeRun{}
}

// keepEarly stores what stage 0 observed, also if the guest then did not boot.
func (o *Opened) keepEarly(ctx context.Context, result *evidence.CellRun, asked bool, err error) {
	var failed *failure.Failure
	if errors.As(err, &failed) && failed.Early != nil {
		result.Transcripts[stage0.Probe] = *failed.Early
		return
	}
	if !asked || err != nil {
		return // stage 0 was not asked for, or the cell's failure says why nothing is known
	}
	t, run := o.stage0(ctx)
	if run.Failure != nil {
		result.Runs[stage0.Probe] = run
		return
	}
	result.Transcripts[stage0.Probe] = t
}
