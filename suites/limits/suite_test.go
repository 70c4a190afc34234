package limits

import (
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// usual and older are the recorded cells that wrong answers are given on.
const (
	usual = "amd64-debian13bpo-newest"
	older = "mips64le-debian12-6.1-malta"
)

// TestEveryClaimCanFail fails if a check does not notice what it is about.
func TestEveryClaimCanFail(t *testing.T) {
	recorded.EveryDefectIsCaught(t, recorded.Except(Suite(), later...), usual, probe, wrong())
}

// TestOlderKernelsCanFail covers answers that mean something else on the usual
// kernel.
func TestOlderKernelsCanFail(t *testing.T) {
	value := recorded.Value
	recorded.Judged(t, Suite(), older, probe, verdict.Fail, []recorded.Wrong{
		{"LM-008", "pidns.outside", value("after", "32768")},
		{"LM-112", "pids.nested.events", value("inner", "0")},
		{"LM-112", "pids.nested.events", value("outer", "2")},
		{"LM-112", "pids.nested.events", value("outer.local", "2")}, // a file that comes with 6.11
	})
}

// TestEveryAnswerDecidesAClaim fails if an error or a success that the probe
// observes could be another without a claim noticing.
func TestEveryAnswerDecidesAClaim(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	// Other claims ask the same code outside the namespace which limit this is.
	unjudged := []string{"again", "full"}
	// These are the same in versions 1 and 2.
	version1 := []string{"text.negative", "text.max", "leaf.raised", "lowered", "zero.enter", "zero.clone", "zero.left",
		"nested.again", "nested.full"}
	for _, o := range tr.Observations {
		if step, ok := strings.CutPrefix(o.Step, "nproc.usersns.in."); ok && slices.Contains(unjudged, step) {
			continue
		}
		if step, ok := strings.CutPrefix(o.Step, "v1.pids."); ok && slices.Contains(version1, step) {
			continue
		}
		if o.Errno == 0 && o.Ret == "" {
			continue
		}
		change := recorded.Errno(5, "EIO")
		if o.Errno != 0 {
			change = recorded.Success("0x63")
		}
		decided := false
		for _, got := range recorded.Judge(Suite(), f, recorded.Change(t, tr, o.Step, change)) {
			decided = decided || got.Status != verdict.Pass
		}
		if !decided {
			t.Errorf("step %s answers otherwise, and every claim passes", o.Step)
		}
	}
}

func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	recorded.SilenceIsNoFault(t, recorded.Except(Suite(), later...), usual, probe)
}

// TestWhatCouldNotBeToldIsNoVerdict fails if a kernel is judged by children that
// were not prepared as they should be.
func TestWhatCouldNotBeToldIsNoVerdict(t *testing.T) {
	value := recorded.Value
	recorded.Judged(t, Suite(), usual, probe, verdict.Error, []recorded.Wrong{
		{"LM-001", "nproc.user.who", value("uid", "0")},
		{"LM-001", "nproc.user.who", value("capeff", "0x0000000000200000")},
		{"LM-001", "nproc.user.refused", value("threads.after", "13")},
		{"LM-102", "nproc.user.zombie.refused", value("dead", "3")},
		{"LM-002", "nproc.nocaps.in.who", value("capeff", "0x000001ffffffffff")},
		{"LM-003", "nproc.admin.who", value("capeff", "0x0000000001200000")},
		{"LM-004", "nproc.usersns.in.who", value("uid", "65534")},
		{"LM-008", "pidns.outside", value("before", "12345")},
		{"LM-008", "pidns.child", value("exit", "2")},
		{"LM-103", "nproc.usersns.in.refused", value("parent", "0")},
		{"LM-011", "pids.nested.refused", value("inner.max", "20")},
		{"LM-019", "stack.threads", value("before", "24")},
		{"LM-022", "memory.child", value("timedout", "true")},
		{"LM-109", "defaults", value("possible", "0-1,4-5")},
	})
}

// TestVersionIsACrossCheck fails if nobody notices a kernel that behaves as another
// version does: that is a back-port, and a deviation must say so.
func TestVersionIsACrossCheck(t *testing.T) {
	for _, tc := range []struct {
		recording string
		release   release.Release
		want      string // the claims that fail
	}{
		{"amd64-debian11-5.10", release.Release{Major: 5, Minor: 13}, ""},
		{"amd64-debian11-5.10", release.Release{Major: 5, Minor: 14}, "LM-103"},
		{older, release.Release{Major: 6, Minor: 10, Patch: 14}, ""},
		{older, release.Release{Major: 6, Minor: 11}, "LM-112"},
		{"arm64-debian13-6.12-16k", release.Release{Major: 6, Minor: 13}, ""},
		{"arm64-debian13-6.12-16k", release.Release{Major: 6, Minor: 14}, "LM-008"},
		{"s390x-debian14-newest", release.Release{Major: 6, Minor: 14}, ""},
		{"s390x-debian14-newest", release.Release{Major: 5, Minor: 10}, "LM-008 LM-103 LM-112"},
	} {
		f, tr := recorded.Kernel(t, tc.recording, probe)
		f.Release = tc.release
		if got := strings.Join(recorded.Red(recorded.Judge(Suite(), f, tr)), " "); got != tc.want {
			t.Errorf("%s as %s: %q fail, want %q", tc.recording, tc.release, got, tc.want)
		}
	}
}

// TestErrorsAreComparedByTheArchitecturesNumber fails if errors are compared by
// the name that the guest gives them: 11 is EAGAIN here and EDEADLK on alpha.
func TestErrorsAreComparedByTheArchitecturesNumber(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	f.Arch = "sw64"
	got := recorded.Judge(Suite(), f, tr)["LM-001"]
	if got.Status != verdict.Fail || !strings.Contains(got.Observed, "EDEADLK (11)") {
		t.Errorf("%+v", got)
	}
}

// TestDebiansSysctlMayBeAbsent fails if a distribution without Debian's sysctl is
// blamed.
func TestDebiansSysctlMayBeAbsent(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.Change(t, tr, "userns.debian", func(o *wire.Observation) {
		*o = wire.Observation{Step: o.Step, Values: map[string]string{"sysctl": "absent"}}
	})
	f.Sysctls = nil
	if got := recorded.Judge(Suite(), f, tr)["CL-102"]; got.Status != verdict.Unsupported {
		t.Errorf("%+v", got)
	}
}

// TestManyCPUsRaiseTheSmallestPIDMax fails if a large machine is blamed: the kernel
// keeps 8 IDs for each possible CPU.
func TestManyCPUsRaiseTheSmallestPIDMax(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	tr = recorded.Change(t, tr, "defaults", recorded.Value("possible", "0-63"))
	if got := recorded.Judge(Suite(), f, tr)["LM-109"]; got.Status != verdict.Fail {
		t.Errorf("301 accepted with 64 CPUs: %+v", got)
	}
	tr = recorded.Change(t, tr, "pidmax.301", recorded.Errno(22, "EINVAL"))
	if got := recorded.Judge(Suite(), f, tr)["LM-109"]; got.Status != verdict.Pass {
		t.Errorf("301 refused with 64 CPUs: %+v", got)
	}
}
