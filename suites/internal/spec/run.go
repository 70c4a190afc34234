package spec

import (
	"errors"
	"fmt"
	"io"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/extensions/globals"
	"github.com/onsi/ginkgo/v2/formatter"
)

// description is the name of the suite in every report.
const description = "mapstack conformance"

// Run runs the cases as a Ginkgo suite inside this process, and writes Ginkgo's own output to
// log. SuiteSucceeded of the returned report is the answer. Run uses Ginkgo's process-wide
// state, so calls must not overlap.
func Run(cases []Case, log io.Writer) (ran ginkgo.Report, err error) {
	globals.Reset()
	if err := Tree(cases); err != nil {
		return ran, fmt.Errorf("build the Ginkgo tree: %w", err)
	}
	stdout := formatter.ColorableStdOut
	formatter.ColorableStdOut = log
	defer func() { formatter.ColorableStdOut = stdout }()

	reported := false
	ginkgo.ReportAfterSuite("report", func(r ginkgo.Report) { ran, reported = r, true })
	suite, reporter := ginkgo.GinkgoConfiguration()
	suite.RandomSeed = 1 // the log shows it, and equal runs must give equal logs
	suite.ParallelTotal, suite.ParallelProcess = 1, 1
	reporter.NoColor = true
	reporter.Succinct = true
	if passed := ginkgo.RunSpecs(ignored{}, description, suite, reporter); !reported || passed != ran.SuiteSucceeded {
		return ran, errors.New("the suite stopped before Ginkgo reported it; its output says why")
	}
	return ran, nil
}

// ignored receives Ginkgo's Fail call; RunSpecs returns the same answer.
type ignored struct{}

func (ignored) Fail() {}
