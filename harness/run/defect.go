package run

import (
	"context"
	"strings"

	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// injector is the guest program that runs another below a defect model.
const injector = "inject"

// Spared reports whether a probe is never run below a defect: one that says
// what the target is, because claims are judged by that, one that traces,
// because nobody is traced twice, stage 0, which ran before any injector, and what an
// ordinary program of the system does.
func Spared(probe string) bool {
	return probe == FactsProbe || probe == "sysconf" || probe == "tracing" || probe == PolicyProbe || probe == stage0.Probe
}

// PolicyProbe is the probe that takes a cell's policy on.
const PolicyProbe = "oslimits"

// observe runs a probe in a guest, below a defect model unless defect is empty,
// and files what it saw under the probe's own name.
func observe(ctx context.Context, g target.Agent, probe, defect string, policy []matrix.Setting) (wire.Transcript, error) {
	var args []string
	if probe == PolicyProbe {
		for _, s := range policy {
			args = append(args, strings.Join([]string{s.Of, s.Name, s.Value, s.Source}, " "))
		}
	}
	if defect == "" || Spared(probe) {
		return g.Run(ctx, probe, args)
	}
	t, err := g.Run(ctx, injector, []string{defect, probe})
	t.Probe, t.Args, t.Defect = probe, nil, defect
	return t, err
}
