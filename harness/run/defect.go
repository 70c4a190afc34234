package run

import (
	"context"
	"strings"

	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/wire"
)

// observe runs a probe in a guest, below a defect model unless defect is empty. The
// transcript has the probe's own name.
func observe(ctx context.Context, g target.Agent, probe, defect string, policy []matrix.Setting) (wire.Transcript, error) {
	var args []string
	if probe == catalog.OSLimits {
		for _, s := range policy {
			args = append(args, strings.Join([]string{s.Of, s.Name, s.Value, s.Source}, " "))
		}
	}
	if program, _ := catalog.Lookup(probe); defect == "" || program.Direct != "" {
		return g.Run(ctx, probe, args)
	}
	t, err := g.Run(ctx, catalog.Inject, []string{defect, probe})
	t.Probe, t.Args, t.Defect = probe, nil, defect
	return t, err
}
