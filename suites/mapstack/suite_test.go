package mapstack

import (
	"slices"
	"testing"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// usual is the recorded cell that most wrong answers are given on.
const usual = "amd64-debian13bpo-newest"

func TestEveryClaimCanFail(t *testing.T) {
	recorded.EveryDefectIsCaught(t, older(), usual, probe, wrong())
}

func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	recorded.SilenceIsNoFault(t, Suite(), usual, probe)
}

// TestWhatCouldNotBeToldIsNoVerdict fails if the claims about smaps blame a
// kernel that has no VmFlags, or a child that never ran.
func TestWhatCouldNotBeToldIsNoVerdict(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	silent := tr
	for _, o := range tr.Observations {
		silent = recorded.Change(t, silent, o.Step, func(o *wire.Observation) {
			for _, key := range []string{"vmflags", "left.vmflags", "right.vmflags", "stack.vmflags", "guard.vmflags"} {
				delete(o.Values, key)
			}
		})
	}
	for _, id := range []string{"MS-005", "MS-006", "MS-010", "MS-011", "MS-014", "MS-015", "MS-017", "PR-002", "PR-009", "PR-010"} {
		if got := recorded.One(t, Suite(), id, f, silent); got.Status != verdict.Error {
			t.Errorf("%s without VmFlags is %s", id, got.Status)
		}
	}
	value := recorded.Value
	noFile := func(o *wire.Observation) {
		*o = wire.Observation{Step: o.Step, Unknown: map[string]string{"file": "memfd_create: EMFILE"}}
	}
	recorded.Judged(t, Suite(), usual, probe, verdict.Error, []recorded.Wrong{
		{"MS-003", "unprivileged.who", value("capeff", "0000000000000001")},
		{"MS-003", "unprivileged.who", value("uid", "0")},
		{"MS-003", "unprivileged", value("timedout", "true")},
		{"MS-004", "file.shared", noFile},
		{"MS-007", "file.shared", noFile},
		{"MS-017", "file.shared", noFile},
		{"PR-003", "death.none", value("timedout", "true")},
		{"MS-011", "growth", value("below.mapped", "true")},
	})
	delete(f.Sysctls, "vm.overcommit_memory")
	if got := recorded.One(t, Suite(), "MS-012", f, tr); got.Status != verdict.Error {
		t.Errorf("MS-012 on a kernel that does not tell how it accounts is %s", got.Status)
	}
}

// TestVersionIsACrossCheck fails if nobody notices a kernel that behaves as another
// version does: that is a back-port, and a deviation must say so.
func TestVersionIsACrossCheck(t *testing.T) {
	want := []string{"MS-010", "PR-015"}
	newest, now := recorded.Kernel(t, usual, probe)
	oldest, then := recorded.Kernel(t, "amd64-debian11-5.10", probe)
	if got := recorded.Red(recorded.Judge(Suite(), oldest, now)); !slices.Equal(got, want) {
		t.Errorf("%s's behaviour on %s: %v fail, want %v", newest.Release, oldest.Release, got, want)
	}
	if got := recorded.Red(recorded.Judge(Suite(), newest, then)); !slices.Equal(got, want) {
		t.Errorf("%s's behaviour on %s: %v fail, want %v", oldest.Release, newest.Release, got, want)
	}
}

// TestOnlyRISCVMayAddReadToWrite fails if riscv64, which may add a permission, is
// blamed for it, or if another architecture is not.
func TestOnlyRISCVMayAddReadToWrite(t *testing.T) {
	for cell, added := range map[string]verdict.Status{"riscv64-debian14-newest": verdict.Pass, "loong64-debian14-newest": verdict.Fail} {
		for perms, want := range map[string]verdict.Status{"-w-p": verdict.Pass, "rw-p": added, "r--p": verdict.Fail, "-wxp": verdict.Fail} {
			recorded.Judged(t, Suite(), cell, probe, want, []recorded.Wrong{{"MS-008", "prot.2", recorded.Value("perms", perms)}})
		}
	}
}

// TestNumbersHaveAMeaningEverywhere fails if the check has no expectation for an
// architecture's MAP_STACK on another architecture.
func TestNumbersHaveAMeaningEverywhere(t *testing.T) {
	for _, arch := range []string{"alpha", "amd64", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x", "sw64"} {
		f := facts.Facts{Arch: arch}
		for _, flag := range []uint64{0x20000, 0x40000, 0x80000} {
			switch meaning := meaningOf(expect.Table(f), flag); meaning {
			case "MAP_STACK", "MAP_POPULATE", "MAP_NONBLOCK", "MAP_SYNC", "MAP_HUGETLB":
			default:
				t.Errorf("%s: %#x is %q", arch, flag, meaning)
			}
		}
	}
}

// TestGenericStackPopulatesOnAlpha fails if 0x20000 may be anything but
// MAP_POPULATE with alpha's numbers: the project is about that mix-up. The
// answers are made from those of amd64.
func TestGenericStackPopulatesOnAlpha(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	flags := map[string]string{}
	for _, o := range tr.Observations {
		flags[o.Step] = o.Values["vmflags"]
	}
	tr = recorded.Answered(t, tr,
		set("number.0x20000", "resident", "16"), set("number.0x20000", "vmflags", flags["compare.plain"]),
		succeeds("number.0x40000"), set("number.0x40000", "resident", "0"), set("number.0x40000", "vmflags", flags["compare.plain"]),
		set("number.0x80000", "vmflags", flags["compare.stack"]))
	f.Arch = "sw64"
	if got := recorded.One(t, Suite(), "MS-014", f, tr); got.Status != verdict.Pass {
		t.Errorf("%s: %s", got.Status, got.Reason)
	}
	tr = recorded.Answered(t, tr, set("number.0x20000", "resident", "0"))
	if got := recorded.One(t, Suite(), "MS-014", f, tr); got.Status != verdict.Fail {
		t.Errorf("0x20000 does not populate: %s", got.Status)
	}
}
