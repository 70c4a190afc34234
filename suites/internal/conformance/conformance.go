// Package conformance lets Ginkgo run the claims of a suite: it obtains the
// evidence, judges it, and builds the tree before any spec runs.
package conformance

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/assemble"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/suites/internal/boot"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/collect"
	"github.com/mapstack/conformance/suites/internal/spec"
)

// Build registers the specs of a suite. The environment says what they run on; see
// boot.Env.
func Build(ctx context.Context, suite claim.Suite) error {
	source := boot.Env(os.Getenv)
	if config, _ := ginkgo.GinkgoConfiguration(); config.ParallelTotal > 1 && source.Evidence == "" {
		return fmt.Errorf("every Ginkgo process would boot every cell; run once, then set MAPSTACK_EVIDENCE to that run's folder")
	}
	devs, err := collect.Deviations(fixtures.FS())
	if err != nil {
		return err
	}
	known, err := matrix.LoadKnown(fixtures.FS())
	if err != nil {
		return err
	}
	judge := func(run evidence.Run, cells []evidence.CellRun) (outcomes []verdict.Outcome) {
		for _, ev := range collect.FromCells(cells) {
			outcomes = append(outcomes, suite.Judge(ev, devs)...)
		}
		verdict.Sort(outcomes)
		return assemble.Known(outcomes, known, run, cells)
	}
	run, cells, err := boot.Obtain(ctx, source, ".", suite.Name, probes(suite), printer(), func(c evidence.CellRun) map[string]string {
		return verdict.Undecided(judge(evidence.Run{Started: time.Now()}, []evidence.CellRun{c}))
	})
	if err != nil {
		return err
	}
	own, err := run.Deviations()
	if err != nil {
		return err
	}
	devs = append(devs, own...)
	outcomes := judge(run, cells)
	if source.Strict {
		outcomes = verdict.Strictly(outcomes)
	}
	arch := map[string]string{}
	for _, c := range cells {
		arch[c.Cell.Name] = c.Cell.Arch
	}
	return spec.Tree(spec.Cases([]claim.Suite{suite}, outcomes, arch))
}

func probes(suite claim.Suite) []string {
	var names []string
	for _, c := range suite.Claims {
		names = append(names, c.Probe)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// printer returns a sink that writes one line for each event that ended. Nothing
// else shows progress before there are specs.
func printer() progress.Sink {
	var mu sync.Mutex
	return func(e progress.Event) {
		if !e.End && e.Stage != progress.Warning {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		line := fmt.Sprintf("%s %s %s", e.Cell, e.Stage, e.What)
		if e.Err != nil {
			line += ": " + e.Err.Error()
		}
		fmt.Fprintln(os.Stderr, line)
	}
}
