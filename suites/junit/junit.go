// Package junit shows the outcomes of a run to Ginkgo, for a JUnit report. It is a
// package of its own so that judging does not link Ginkgo.
package junit

import (
	"io"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites"
	"github.com/mapstack/conformance/suites/internal/spec"
)

// Write shows outcomes to Ginkgo inside this process. Ginkgo writes a JUnit report
// to path and its own output to log. Write reports whether Ginkgo's suite succeeded,
// which it does exactly when a run with these outcomes ends with 0. Calls must not
// overlap.
func Write(outcomes []verdict.Outcome, cells []evidence.CellRun, path string, log io.Writer) (bool, error) {
	arch := map[string]string{}
	for _, c := range cells {
		arch[c.Cell.Name] = c.Cell.Arch
	}
	return spec.Run(spec.Cases(suites.All(), outcomes, arch), path, log)
}
