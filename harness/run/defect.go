package run

import (
	"context"

	"github.com/mapstack/conformance/harness/target"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// injector is the guest program that runs another below a defect model.
const injector = "inject"

// Spared reports whether a probe is never run below a defect: one that says
// what the target is, because claims are judged by that, one that traces,
// because nobody is traced twice, and stage 0, which ran before any injector.
func Spared(probe string) bool {
	return probe == FactsProbe || probe == "sysconf" || probe == "tracing" || probe == stage0.Probe
}

// observe runs a probe in a guest, below a defect model unless defect is empty,
// and files what it saw under the probe's own name.
func observe(ctx context.Context, g target.Agent, probe, defect string) (wire.Transcript, error) {
	if defect == "" || Spared(probe) {
		return g.Run(ctx, probe, nil)
	}
	t, err := g.Run(ctx, injector, []string{defect, probe})
	t.Probe, t.Args, t.Defect = probe, nil, defect
	return t, err
}
