package run

import (
	"errors"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// early is what stage 0 observed while a guest booted, nil for nothing.
func early(g *target.Guest) *wire.Transcript {
	t, spoke := g.Early()
	if !spoke {
		return nil
	}
	return &t
}

// earlier is what stage 0 observed in the guest that was booted for the cell.
// It ran once, before any probe was asked for.
func (o *Origin) earlier() (wire.Transcript, evidence.ProbeRun) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.early == nil {
		return wire.Transcript{}, evidence.ProbeRun{Failure: &failure.Failure{Kind: failure.Protocol,
			Message: "the guest's console shows nothing of stage 0, which every guest starts with where harness/guest/assembler can assemble it; read console/boot.log"}}
	}
	return *o.early, evidence.ProbeRun{}
}

// keepEarly files what stage 0 observed, also in a guest that then did not boot.
func keepEarly(result *evidence.CellRun, o *Origin, asked bool, err error) {
	var failed *failure.Failure
	if errors.As(err, &failed) && failed.Early != nil {
		result.Transcripts[stage0.Probe] = *failed.Early
		return
	}
	if !asked || err != nil {
		return // the cell's failure says why there is nothing
	}
	t, run := o.earlier()
	if run.Failure != nil {
		result.Runs[stage0.Probe] = run
		return
	}
	result.Transcripts[stage0.Probe] = t
}
