package claim

import (
	"slices"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
)

// numbered are the claims that a user-mode emulator decides, of itself: what the
// numbers of calls, flags, signals and errors mean is its own translation of them,
// and so is what happens at a bad address. A claim that is not here is decided by a
// kernel of the architecture alone, also one that nobody has looked at yet.
var numbered = []string{
	"MF-001", "MF-002", "MF-004", "MF-005", "MF-006", "MF-007", "MF-008", "MF-009", "MF-010", "MF-011", "MF-012",
	"MF-013", "MF-014", "MF-015", "MF-018", "MF-101", "MF-107", "MF-109",
	"MS-001", "MS-004", "MS-016",
	"PR-001", "PR-003",
	"SZ-001", "SZ-002", "SZ-003", "SZ-004", "SZ-005", "SZ-006", "SZ-007", "SZ-008", "SZ-009", "SZ-010",
	"SZ-011", // the host's kernel has the limit, the emulator the number of its name
	"SZ-012", "SZ-013",
}

// below is why a user-mode emulator does not decide a claim that no row of foreign has.
const below = "the kernel below a user-mode emulator is the host's, and the answer would be that kernel's"

// foreign is what claims of probes that run under an emulator ask of something that
// is not the emulated architecture's.
var foreign = []struct {
	why    string
	claims []string
}{
	{"what /proc says of a mapping, its protection and flags there and its resident pages, is made of the mappings of the host's kernel",
		[]string{"AD-001", "GR-110", "IN-001", "IN-008", "MF-020", "MF-022", "MF-023", "MF-102", "MF-103", "MF-104", "MF-105", "MF-108",
			"MS-002", "MS-003", "MS-005", "MS-007", "MS-008", "MS-009", "MS-010", "MS-011", "MS-012", "MS-013", "MS-014", "MS-015", "MS-017",
			"PR-002", "PR-006", "PR-007", "PR-009", "PR-010", "PR-011", "PR-014"}},
	{"where mappings lie and with what they merge is decided by the host's kernel, and by an emulator that keeps room for itself",
		[]string{"MF-016", "MF-017", "MF-031", "MS-006"}},
	{"how memory grows below a mapping is decided by the host's kernel, which does not know the emulated stack pointer",
		[]string{"MF-026", "MF-027", "MF-028", "MF-029", "MF-030", "MF-032", "MF-110", "SG-011"}},
	{"huge pages and limits of memory are the host's", []string{"MF-021", "MF-024", "MF-025", "MF-106"}},
	{"files and who may write to them are the host's", []string{"MF-019"}},
	{"which release brought it is asked of a kernel, and the release here is the host's", []string{"MF-003", "PR-013", "PR-015"}},
	{"defects are injected by seccomp and ptrace, which a user-mode emulator does not have",
		[]string{"GR-111", "GR-112", "IN-002", "IN-003", "IN-004"}},
}

// Inapplicable is why a claim does not apply to a cell, known before anything runs;
// "" when it applies.
func (c Claim) Inapplicable(cell matrix.Cell, a abi.Table) string {
	if c.Unsupported != nil {
		if reason := c.Unsupported(cell, a); reason != "" {
			return reason
		}
	}
	if cell.Host != matrix.UserMode || slices.Contains(numbered, c.ID) {
		return ""
	}
	for _, f := range foreign {
		if slices.Contains(f.claims, c.ID) {
			return f.why
		}
	}
	return below
}
