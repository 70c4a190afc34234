package spec

import (
	"fmt"
	"io"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/extensions/globals"
	"github.com/onsi/ginkgo/v2/formatter"
	"github.com/onsi/ginkgo/v2/reporters"
	"github.com/onsi/ginkgo/v2/types"
)

// description is the name of the suite in every report.
const description = "mapstack conformance"

// Run runs the cases as a Ginkgo suite inside this process, writes Ginkgo's
// own output to log and a JUnit report to junit, and reports whether the suite
// succeeded. It uses Ginkgo's process-wide state, so calls must not overlap.
func Run(cases []Case, junit string, log io.Writer) (bool, error) {
	globals.Reset()
	if err := Tree(cases); err != nil {
		return false, fmt.Errorf("build the Ginkgo tree: %w", err)
	}
	stdout := formatter.ColorableStdOut
	formatter.ColorableStdOut = log
	defer func() { formatter.ColorableStdOut = stdout }()

	var written error
	ran := false
	ginkgo.ReportAfterSuite("JUnit", func(r ginkgo.Report) {
		ran = true
		written = writeJUnit(r, junit)
	})
	suite, reporter := ginkgo.GinkgoConfiguration()
	suite.RandomSeed = 1 // the report shows it, and equal runs must give equal reports
	suite.ParallelTotal, suite.ParallelProcess = 1, 1
	reporter.NoColor = true
	reporter.Succinct = true
	passed := ginkgo.RunSpecs(ignored{}, description, suite, reporter)
	if written != nil {
		return passed, fmt.Errorf("write the JUnit report %s: %w", junit, written)
	}
	if !ran {
		return false, fmt.Errorf("write the JUnit report %s: Ginkgo stopped before it; its output says why", junit)
	}
	return passed, nil
}

// ignored receives Ginkgo's Fail call; RunSpecs returns the same answer.
type ignored struct{}

func (ignored) Fail() {}

// writeJUnit writes the report. The name of a test case has only the texts of the
// tree, so that it stays the same when labels change.
func writeJUnit(r types.Report, path string) error {
	r = withReasons(r)
	r.SuitePath = "suites" // not where the process happened to be started
	return reporters.GenerateJUnitReportWithConfig(r, path, reporters.JunitReportConfig{
		OmitSpecLabels:      true,
		OmitLeafNodeType:    true,
		OmitSuiteSetupNodes: true,
		OmitTimelinesForSpecState: types.SpecStatePassed | types.SpecStatePending |
			types.SpecStateSkipped,
		OmitCapturedStdOutErr: true,
	})
}
