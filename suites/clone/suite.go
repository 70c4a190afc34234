// Package clone claims how clone and clone3 validate what they are asked.
package clone

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// probe is the probe run all claims of this suite read.
const probe = "cloneflags"

// Suite returns the claims.
func Suite() claim.Suite {
	var claims []claim.Claim
	for _, group := range [][]claim.Claim{legacyClaims(), namespaceClaims(), clone3Claims()} {
		claims = append(claims, group...)
	}
	claims = claim.NeedEach(claims, abi.Trace, "CL-021")
	return claim.Suite{Name: "clone", Claims: claims}
}

// The two answers of a call that cannot succeed: the flags were accepted and
// the limit of 0 processes refused it, or the flags were refused before that
// (copy_process in kernel/fork.c checks in this order).
const (
	accepted = "EAGAIN"
	refused  = "EINVAL"
)

// want is the error that each step must end with, by step.
type want map[string]string

// in is the prefix of the steps that ran under the limit.
const in = "dry."

// decides makes a claim out of steps of the table that ran without a process
// to spare.
func decides(id string, level verdict.Level, english, chinese, source string, steps func(facts.Facts) want) claim.Claim {
	return claim.Claim{
		ID: id, Level: level, English: english, Chinese: chinese, Source: source, Probe: probe,
		Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
			limited(t, in)
			a := expect.Table(f)
			for _, step := range sorted(steps(f)) {
				expect.Errno(g, a, t.Step(in+step.name), step.errno)
			}
		},
	}
}

// always is the same expectation for every kernel.
func always(w want) func(facts.Facts) want { return func(facts.Facts) want { return w } }

// since chooses between what a kernel answers with and without a feature.
func since(has bool, with, without string) string {
	if has {
		return with
	}
	return without
}

// limited stops the check unless the limit was in force: without it, EAGAIN
// would mean something else.
func limited(t claim.Transcript, prefix string) { t.Step(prefix + "limit").Result() }

// must is the level of what programs and libraries rely on.
const must = verdict.Must

// hasClone3 excludes kernels whose table has no clone3.
func hasClone3(c matrix.Cell, a abi.Table) string {
	if a.Syscall.Clone3 == 0 {
		return "the architecture's system call table has no clone3"
	}
	first, err := release.Parse(a.Clone3Since + ".0")
	if err != nil {
		return "" // it came with the call
	}
	if own, err := release.Parse(c.Kernel.Series + ".0"); err == nil && own.Less(first) {
		return fmt.Sprintf("the architecture has clone3 since %s, and the kernel is a %s", a.Clone3Since, c.Kernel.Series)
	}
	return ""
}
