// Command judge judges the evidence of a finished run and does nothing else. A test
// builds it, to show how little a program needs that only judges.
package main

import (
	"fmt"
	"os"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/suites"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: judge DIR, the folder of one run, such as out/20260131-235959")
		os.Exit(verdict.ExitInfrastructure)
	}
	d, err := judge(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(verdict.ExitInfrastructure)
	}
	c := d.Counts
	fmt.Printf("%s: %s.\n%d pass, %d fail, %d error, %d unsupported, %d not-run\n",
		d.Verdict, d.Reason, c.Pass, c.Fail, c.Error, c.Unsupported, c.NotRun)
	os.Exit(d.ExitCode)
}

// judge decides every claim that the run was asked.
func judge(folder string) (verdict.Decision, error) {
	run, cells, err := evidence.Load(folder)
	if err != nil {
		return verdict.Decision{}, err
	}
	known, err := matrix.Load(fixtures.FS())
	if err != nil {
		return verdict.Decision{}, err
	}
	deviations, err := suites.Deviations(fixtures.FS(), known)
	if err != nil {
		return verdict.Decision{}, err
	}
	own, err := run.Deviations()
	if err != nil {
		return verdict.Decision{}, err
	}
	outcomes, err := suites.JudgeAll(cells, run.Focus, append(deviations, own...))
	return verdict.Decide(outcomes), err
}
