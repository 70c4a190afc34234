// Package protection claims what memory protections do where CPUs and kernels
// differ, and that no security module looks at MAP_STACK. The protections of
// thread stacks are in mapstack.
package protection

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/suites/internal/claim"
)

// probe is the probe that all claims of this suite read but one.
const probe = "protection"

// zeropage is the probe that may crash its guest.
const zeropage = "zeropage"

// Suite returns the claims. A SHOULD is what no manual promises.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "protection", Prefix: "PR", Floor: 6, Probe: probe,
		About: claim.Text{
			English: "Protections in which CPUs and kernels differ, and security modules, none of which looks at MAP_STACK.",
			Chinese: "因 CPU 和内核而异的保护属性，以及安全模块（均不检查 MAP_STACK）。",
		},
	}.Join(singleClaims(), bitClaims(), moduleClaims(), sharedClaims())
}

// missing stops a check, because what was seen says nothing about the claim.
func missing(step, value, format string, args ...any) {
	panic(claim.Missing{Probe: probe, Step: step, Value: value, Reason: fmt.Sprintf(format, args...)})
}

// equal expects a value as text.
func equal(g gomega.Gomega, o claim.Observation, key, want string) {
	g.Expect(o.Value(key)).To(gomega.Equal(want), "step %s: %s of %s", o.Step, key, o.Call)
}

// The answers of an access.
const (
	ok      = "ok"
	fault   = "fault"
	stored  = "165" // the byte that the probe writes
	invalid = "EINVAL"
)
