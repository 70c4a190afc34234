// Package mmapabi claims that an architecture's numbers for mmap do what their
// names say, that those of other architectures do not, and which combinations
// mmap accepts.
package mmapabi

import (
	"fmt"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// probe is the probe that all claims of this suite read.
const probe = "mmapabi"

// Suite returns the claims.
//
// A SHOULD follows from a kernel's version or its defaults more than from its ABI.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "mmapabi", Prefix: "MF", Floor: 30, Probe: probe,
		About: claim.Text{
			English: "Whether the architecture's numbers for mmap do what their names say, those of other architectures do not, and which combinations mmap accepts.",
			Chinese: "本架构的 mmap 数值是否名副其实，其他架构的数值是否无此作用，以及 mmap 接受哪些组合。",
		},
	}.Join(ruleClaims(), validateClaims(), placeClaims(), argumentClaims(), effectClaims(), growthClaims(), numberClaims(), fileClaims(), alikeClaims())
}

// definesSync excludes architectures without MAP_SYNC.
func definesSync(a abi.Table) string {
	if a.Map.Sync == 0 {
		return "the architecture does not define MAP_SYNC"
	}
	return ""
}

// namesHugeTLB excludes architectures where 0x80000 is not MAP_HUGETLB.
func namesHugeTLB(a abi.Table) string {
	if a.Map.HugeTLB != 0x80000 {
		return "0x80000 is not MAP_HUGETLB on the architecture"
	}
	return ""
}

// bitStep returns the name of the probe's step for a number.
func bitStep(bit uint64) string { return fmt.Sprintf("bit %#x", bit) }

// stored is the byte that the probe writes.
const stored = "165"
