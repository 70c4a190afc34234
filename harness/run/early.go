package run

import (
	"context"
	"errors"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// stage0 returns what stage 0 observed. It runs once, before any probe.
func (o *Opened) stage0(ctx context.Context) (wire.Transcript, evidence.ProbeRun) {
	o.place.ask(ctx)
	t, spoke := o.place.early()
	if !spoke {
		return t, evidence.ProbeRun{Failure: &failure.Failure{Kind: failure.Protocol,
			Message: "the guest's console shows nothing of stage 0, which every guest starts with where harness/guest/assembler can assemble it; read console/boot.log"}}
	}
	return t, evidence.ProbeRun{}
}

// keepEarly files what stage 0 observed, also unasked, and also in a guest that then did
// not boot. Silence is a failure only if stage 0 was asked.
func (o *Opened) keepEarly(ctx context.Context, result *evidence.CellRun, asked bool, err error) {
	var failed *failure.Failure
	if errors.As(err, &failed) && failed.Early != nil {
		result.Transcripts[stage0.Probe] = *failed.Early
		return
	}
	if err != nil {
		return // the cell's failure says why there is nothing
	}
	if t, spoke := o.place.early(); spoke {
		result.Transcripts[stage0.Probe] = t
	} else if asked {
		_, result.Runs[stage0.Probe] = o.stage0(ctx)
	}
}
