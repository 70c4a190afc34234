// Package mmapabi claims that the numbers which an architecture gives to mmap
// do what their names say there, that the numbers of other architectures do
// not, and which combinations mmap accepts.
package mmapabi

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// probe is the probe run all claims of this suite read.
const probe = "mmapabi"

// Suite returns the claims.
func Suite() claim.Suite {
	var claims []claim.Claim
	for _, group := range [][]claim.Claim{
		ruleClaims(), validateClaims(), placeClaims(), argumentClaims(), effectClaims(), growthClaims(), numberClaims(),
	} {
		claims = append(claims, group...)
	}
	for i := range claims {
		claims[i].Probe = probe
	}
	return claim.Suite{Name: "mmapabi", Claims: claim.NeedEach(claims, abi.Sysconf, "AD-001")}
}

// check is what decides a claim, with the constants of the architecture.
type check func(g gomega.Gomega, t claim.Transcript, a abi.Table, f facts.Facts)

func must(id, english, chinese, source string, c check) claim.Claim {
	return claim.Claim{
		ID: id, Level: verdict.Must, English: english, Chinese: chinese, Source: source,
		Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) { c(g, t, expect.Table(f), f) },
	}
}

// should is for what follows from a kernel's version or its defaults more than
// from its ABI.
func should(id, english, chinese, source string, c check) claim.Claim {
	made := must(id, english, chinese, source, c)
	made.Level = verdict.Should
	return made
}

// definesSync excludes architectures without MAP_SYNC.
func definesSync(a abi.Table) string {
	if a.Map.Sync == 0 {
		return "the architecture does not define MAP_SYNC"
	}
	return ""
}

// bitStep names a number as the steps of the probe do.
func bitStep(bit uint64) string { return fmt.Sprintf("bit %#x", bit) }

// stored is the byte that the probe writes where it writes one.
const stored = "165"
