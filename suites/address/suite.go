// Package address claims where mmap puts mappings: what it makes of a hint,
// the ends of the address space, its direction, alignment and randomness.
package address

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// probe is the probe that all claims of this suite read.
const probe = "address"

// Suite returns the claims. AD-001, about the size of a page, is in mmapabi.
//
// A SHOULD is what a kernel may do otherwise without breaking a program that
// keeps to the manual: layouts, alignment, defaults.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "address", Prefix: "AD", Floor: 12, Probe: probe,
		About: claim.Text{
			English: "Where mmap puts mappings: what it makes of a hint, the ends of the address space, its direction, alignment and randomness.",
			Chinese: "mmap 把映射放在哪里：如何对待提示地址，以及地址空间的边界、方向、对齐与随机化。",
		},
	}.Join(hintClaims(), floorClaims(), layoutClaims(), alignClaims(), spaceClaims())
}

// missing stops a check, because what was seen says nothing about the claim.
func missing(step, value, format string, args ...any) {
	panic(claim.Missing{Probe: probe, Step: step, Value: value, Reason: fmt.Sprintf(format, args...)})
}

// free stops the check unless nothing was mapped where a step asked for.
func free(o claim.Observation) {
	if o.Value("free") != "true" {
		missing(o.Step, "free", "something is mapped at %s", o.Value("asked"))
	}
}

// exact expects a mapping where it was asked for, and memory in it.
func exact(g gomega.Gomega, o claim.Observation, stores ...string) {
	expect.OK(g, o)
	g.Expect(o.Result()).To(gomega.Equal(o.Uint("asked")), "step %s: %s: the address asked for", o.Step, o.Call)
	usable(g, o, stores...)
}

// usable expects writes to have succeeded and to read back.
func usable(g gomega.Gomega, o claim.Observation, stores ...string) {
	for _, key := range stores {
		g.Expect(o.Value(key)).To(gomega.Equal("ok"), "step %s: %s: %s", o.Step, o.Call, key)
	}
}

// stored is the byte that the probe writes.
const stored = "165"
