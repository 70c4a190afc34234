// Package boot obtains the evidence that a Ginkgo suite judges: it loads a finished run,
// or has the cells run. It is the one package of the suites that links the engine.
package boot

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/collect"
)

// Source says where evidence comes from. Env reads it from the environment,
// because the arguments of a Ginkgo suite are Ginkgo's.
type Source struct {
	Evidence string // folder of a finished run; when empty the cells are run
	Select   matrix.Selection
	Locked   bool   // only pinned kernels
	Strict   bool   // known failures count
	Out      string // where a run leaves its evidence
}

// Env is the Source that the environment asks for: MAPSTACK_EVIDENCE names a
// finished run; MAPSTACK_ARCH, MAPSTACK_CELL and MAPSTACK_KERNEL narrow the
// matrix for a new one, LOCKED=1 pins its kernels and MAPSTACK_OUT says where
// it goes. With STRICT=1 known failures count.
func Env(getenv func(string) string) Source {
	return Source{
		Evidence: getenv("MAPSTACK_EVIDENCE"),
		Select: matrix.Selection{
			Arch: getenv("MAPSTACK_ARCH"), Cell: getenv("MAPSTACK_CELL"), Kernel: getenv("MAPSTACK_KERNEL"),
		},
		Locked: getenv("LOCKED") == "1",
		Strict: getenv("STRICT") == "1",
		Out:    getenv("MAPSTACK_OUT"),
	}
}

// Obtain loads the evidence of a finished run, or boots the cells, runs the
// probes and returns what they left, with what was asked. root is a folder inside
// the checkout, and focus what the evidence is recorded to be for. Probes that undecided returns
// are run once more; see workbench.Options.
func Obtain(ctx context.Context, s Source, root, focus string, probes []string, sink progress.Sink, undecided func(evidence.CellRun) map[string]string) (asked evidence.Run, cells []evidence.CellRun, err error) {
	if s.Evidence != "" {
		asked, cells, err := evidence.Load(s.Evidence)
		if err != nil {
			return asked, nil, fmt.Errorf("load the evidence that MAPSTACK_EVIDENCE names: %w", err)
		}
		return asked, cells, nil
	}
	all, err := matrix.Load(fixtures.FS())
	if err != nil {
		return asked, nil, err
	}
	selected, err := matrix.Select(all, s.Select)
	if err != nil {
		return asked, nil, err
	}
	// A model cell is asked what the suites name for it, not a suite.
	selected = slices.DeleteFunc(selected, func(c matrix.Cell) bool { return c.Tier == matrix.Model })
	wanted := map[string][]string{}
	for _, c := range selected {
		table, _ := abi.Lookup(c.Arch) // one without a table is judged as an error
		wanted[c.Name] = collect.Probes(table, probes...)
	}
	out := s.Out
	if out == "" {
		if out, err = os.MkdirTemp("", "mapstack-*"); err != nil {
			return asked, nil, fmt.Errorf("make a folder for the evidence: %w", err)
		}
	}
	bench, err := workbench.Open(ctx, workbench.Options{Dir: root, Data: fixtures.FS(), Sink: sink, Locked: s.Locked, Undecided: undecided})
	if err != nil {
		return asked, nil, err
	}
	_, asked, cells, err = bench.Run(ctx, workbench.Order{Subjects: bench.Bind(selected...), Probes: wanted, Focus: focus, Out: out})
	return asked, cells, err
}
