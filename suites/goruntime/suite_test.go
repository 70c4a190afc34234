package goruntime

import (
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// Recorded cells: one whose Go runtime has no defect, and two whose runtime has one.
const (
	usual = "amd64-debian13bpo-newest"
	lost  = "riscv64-debian14-newest"     // the runtime loses the error of clone
	hasty = "mips64le-debian12-6.1-malta" // the pauses between attempts are too short
)

// TestEveryClaimCanFail fails if a check does not notice what it is about.
func TestEveryClaimCanFail(t *testing.T) {
	recorded.EveryDefectIsCaught(t, recorded.Of(older(), probe), usual, probe, wrong())
	recorded.EveryDefectIsCaught(t, recorded.Of(Suite(), variants), usual, variants, wrongVariants())
}

func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	recorded.SilenceIsNoFault(t, recorded.Of(older(), probe), usual, probe)
	recorded.SilenceIsNoFault(t, recorded.Of(Suite(), variants), usual, variants)
}

// TestWhatCouldNotBeToldIsNoVerdict fails if a kernel is judged by a limit that
// was not set, or by a program that was not watched to its end.
func TestWhatCouldNotBeToldIsNoVerdict(t *testing.T) {
	value := recorded.Value
	recorded.Judged(t, recorded.Of(older(), probe), usual, probe, verdict.Error, []recorded.Wrong{
		{"GR-101", "nproc.limit", recorded.Errno(1, "EPERM")},
		{"GR-114", "pids", unknown("", "watched", "write 13 to pids.max: device or resource busy").Change},
		{"GR-116", "memory", unknown("", "watched", "not tried").Change},
		{"GR-103", "seccomp EPERM.limit", recorded.Errno(22, "EINVAL")}, // no CONFIG_SECCOMP_FILTER
		{"GR-104", "lifted.clone", value("lifted", "EPERM")},
		{"GR-003", "chain.end", value("exit", "2")},
		{"IN-005", "strict.end", value("exit", "2")},
		{"IN-007", "clone3.filter", recorded.Errno(22, "EINVAL")},
		{"GR-012", "single.up", value("gomaxprocs", "4")},
		{"GR-014", "exits", value("exit", "2")},
	})
	recorded.Judged(t, recorded.Of(Suite(), variants), usual, variants, verdict.Error, []recorded.Wrong{
		{"IN-002", "stack-eperm.fallback", value("exit", injection)},
		{"GR-111", "stack-enomem.strict", value("exit", injection)},
	})
	recorded.Judged(t, recorded.Of(older(), probe), lost, probe, verdict.Error, []recorded.Wrong{
		{"GR-006", "runtime", value("mended", "false")},
	})
}

// TestADefectOfTheRuntimeIsNotTheKernels fails if a defect of the Go runtime makes
// a right kernel non-conformant, or if it is not reported at all.
func TestADefectOfTheRuntimeIsNotTheKernels(t *testing.T) {
	for cell, finding := range map[string]struct{ claim, says string }{
		lost:  {"GR-010", "defect of Go's runtime on riscv64, not of this kernel"},
		hasty: {"GR-109", "defect of Go's runtime on mips64le, not of this kernel"},
	} {
		f, tr := recorded.Kernel(t, cell, probe)
		outcomes := recorded.Of(older(), probe).Judge(recorded.Evidence(f, tr), nil)
		for _, o := range outcomes {
			if o.Claim == finding.claim {
				if o.Status != verdict.Fail || o.Level != verdict.May || !strings.Contains(o.Text(), finding.says) {
					t.Errorf("%+v", o)
				}
			} else if o.Status != verdict.Pass {
				t.Errorf("%+v", o)
			}
		}
		if d := verdict.Decide(outcomes); d.Verdict != verdict.Conformant {
			t.Errorf("%s: %+v", cell, d)
		}
	}
}

// TestWhatTheKernelAnswersIsAskedEverywhere fails if a defect of the Go runtime
// keeps a claim about the kernel from being judged.
func TestWhatTheKernelAnswersIsAskedEverywhere(t *testing.T) {
	for _, c := range Suite().Claims {
		for _, table := range abi.All() {
			reason := c.Inapplicable(matrix.Cell{}, table)
			if table.Lacks(abi.GoPort) != "" {
				if (reason == "") != (c.ID == "IN-001") {
					t.Errorf("%s is asked of another runtime on %s, or not of the kernel: %q", c.ID, table.GOARCH, reason)
				}
				continue
			}
			if reason != "" {
				t.Errorf("%s is not asked on %s: %s", c.ID, table.GOARCH, reason)
			}
		}
	}
}

// TestRetriesFollowTheRelease fails if a program of Go 1.19, which asks once, is
// taken for a defect, or if one of Go 1.20 that asks once is not.
func TestRetriesFollowTheRelease(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	once := tr
	for _, cause := range append(limits(), filter(full)) {
		once = recorded.Change(t, once, cause+".clone", recorded.Value("refused", "1"))
	}
	once = recorded.Answered(t, once, shows("lifted.clone", "refused", "1"), shows("lifted.end", "exit", "2"))
	for _, tc := range []struct {
		release string
		tr      wire.Transcript
		want    verdict.Status
	}{
		{"go1.16.4", once, verdict.Pass},
		{"go1.19.8", once, verdict.Pass},
		{"go1.19.8", tr, verdict.Fail},
		{"go1.20", tr, verdict.Pass},
		{"go1.20rc1", once, verdict.Pass},
		{"go1.26.8", once, verdict.Fail},
		{"devel go1.27-0123456789", tr, verdict.Pass},
	} {
		f.Go = tc.release
		for _, id := range []string{"GR-009", "GR-104"} {
			if o := recorded.One(t, Suite(), id, f, tc.tr); o.Status != tc.want {
				t.Errorf("%s of %s: %s, want %s: %s", id, tc.release, o.Status, tc.want, o.Reason)
			}
		}
	}
}

// TestNumbersAreTheArchitectures fails if EAGAIN is expected to be 11 on sw64,
// or MAP_ANONYMOUS to be 0x20 on MIPS.
func TestNumbersAreTheArchitectures(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	for arch, ids := range map[string][]string{
		"sw64":     {"GR-101", "GR-003", "IN-005"},
		"mips64le": {"GR-103", "IN-006", "GR-003", "GR-004", "IN-005"},
	} {
		f.Arch = arch
		red := recorded.Red(recorded.Judge(recorded.Of(older(), probe), f, tr))
		for _, id := range ids {
			if !slices.Contains(red, id) {
				t.Errorf("%s passes on %s with the numbers of amd64", id, arch)
			}
		}
	}
}
