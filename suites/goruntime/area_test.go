package goruntime

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// TestEveryClaimCanFail fails if a check does not notice what it is about.
func TestEveryClaimCanFail(t *testing.T) {
	f, tr := host(t)
	for _, c := range Area().Claims {
		if len(wrong()[c.ID]) == 0 {
			t.Errorf("no defect shows that %s can fail", c.ID)
		}
	}
	for id, named := range wrong() {
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if o := recorded.One(t, Area(), id, f, recorded.Answered(t, tr, named[name]...)); o.Status != verdict.Fail || o.Reason == "" {
				t.Errorf("%s, %s: %s, want fail: %s", id, name, o.Status, o.Reason)
			}
		}
	}
}

// TestMissingEvidenceIsNeverTheKernelsFault fails if a kernel is blamed for what
// its transcript lacks: a step, what was seen in it, or everything.
func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	f, tr := host(t)
	for _, o := range tr.Observations {
		if ids := recorded.Red(recorded.Judge(Area(), f, recorded.Without(t, tr, o.Step))); len(ids) > 0 {
			t.Errorf("without step %q these fail: %v", o.Step, ids)
		}
		unknown := recorded.Change(t, tr, o.Step, func(o *wire.Observation) {
			o.Unknown = map[string]string{}
			for key := range o.Values {
				o.Unknown[key] = "no permission"
			}
			o.Values = nil
		})
		if ids := recorded.Red(recorded.Judge(Area(), f, unknown)); len(ids) > 0 {
			t.Errorf("without knowing what step %q saw these fail: %v", o.Step, ids)
		}
	}
	for id, o := range recorded.Judge(Area(), f, wire.Transcript{Probe: probe}) {
		if o.Status != verdict.Error {
			t.Errorf("%s on an empty transcript is %s", id, o.Status)
		}
	}
}

// TestWhatCouldNotBeToldIsNoVerdict fails if a kernel is judged by a limit that
// was not set, or by a program that nobody watched to its end.
func TestWhatCouldNotBeToldIsNoVerdict(t *testing.T) {
	f, tr := host(t)
	value := recorded.Value
	for _, tc := range []recorded.Wrong{
		{"GR-101", "nproc.limit", recorded.Errno(1, "EPERM")},
		{"GR-101", "pids", value("timedout", "true")},
		{"GR-102", "as", value("exit", "2")},
		{"GR-103", "seccomp EPERM.limit", recorded.Errno(22, "EINVAL")}, // no CONFIG_SECCOMP_FILTER
		{"GR-104", "lifted.clone", value("lifted", "EPERM")},
		{"GR-003", "chain.end", value("exit", "2")},
		{"GR-012", "single.up", value("gomaxprocs", "4")},
		{"GR-014", "exits", value("exit", "2")},
	} {
		if o := recorded.One(t, Area(), tc.Claim, f, recorded.Change(t, tr, tc.Step, tc.Change)); o.Status != verdict.Error {
			t.Errorf("%s with another %q: %s: %s", tc.Claim, tc.Step, o.Status, o.Reason)
		}
	}
}

// TestADefectOfTheRuntimeIsNotTheKernels fails if a kernel that refuses a thread
// as it should is not conformant because the runtime makes nothing of it, or if
// nobody learns of that.
func TestADefectOfTheRuntimeIsNotTheKernels(t *testing.T) {
	f, tr := lost(t)
	outcomes := Area().Judge(recorded.Evidence(f, tr), nil)
	for _, o := range outcomes {
		switch {
		case o.Claim == "GR-010":
			if o.Status != verdict.Fail || o.Level != verdict.May || !strings.Contains(o.Reason, "defect of Go's runtime on riscv64, not of this kernel") {
				t.Errorf("%+v", o)
			}
		case o.Status == verdict.Unsupported:
			if !strings.Contains(o.Reason, "GR-010") {
				t.Errorf("%+v", o)
			}
		case o.Status != verdict.Pass:
			t.Errorf("%+v", o)
		}
	}
	if d := verdict.Decide(outcomes); d.Verdict != verdict.Conformant {
		t.Errorf("%+v", d)
	}
	// Where the runtime notices, the same transcript is a failure of each claim
	// about what it says.
	f.Arch = "arm64"
	if red := recorded.Red(recorded.Judge(Area(), f, tr)); !slices.Contains(red, "GR-006") || !slices.Contains(red, "GR-008") {
		t.Errorf("on arm64 these fail: %v", red)
	}
}

// TestWhatTheKernelAnswersIsAskedEverywhere fails if a defect of the runtime
// hides what the kernel does.
func TestWhatTheKernelAnswersIsAskedEverywhere(t *testing.T) {
	for _, c := range Area().Claims {
		for _, table := range abi.All() {
			reason := ""
			if c.Unsupported != nil {
				reason = c.Unsupported(matrix.Cell{}, table)
			}
			if reason != "" && (!table.GoLosesCloneError || c.Level == verdict.Must) {
				t.Errorf("%s is not asked on %s: %s", c.ID, table.GOARCH, reason)
			}
		}
	}
}

// TestRetriesFollowTheRelease fails if a program of Go 1.19, which asks once, is
// taken for a defect, or one of 1.20 that does.
func TestRetriesFollowTheRelease(t *testing.T) {
	f, tr := host(t)
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
			if o := recorded.One(t, Area(), id, f, tc.tr); o.Status != tc.want {
				t.Errorf("%s of %s: %s, want %s: %s", id, tc.release, o.Status, tc.want, o.Reason)
			}
		}
	}
}

// TestNumbersAreTheArchitectures fails if EAGAIN is expected to be 11 on alpha,
// or MAP_ANONYMOUS to be 0x20 on MIPS.
func TestNumbersAreTheArchitectures(t *testing.T) {
	f, tr := host(t)
	for arch, ids := range map[string][]string{
		"alpha":    {"GR-101", "GR-006", "IN-006", "GR-003"},
		"mips64le": {"GR-103", "IN-006", "GR-003", "GR-004"},
	} {
		f.Arch = arch
		red := recorded.Red(recorded.Judge(Area(), f, tr))
		for _, id := range ids {
			if !slices.Contains(red, id) {
				t.Errorf("%s passes on %s with the numbers of amd64", id, arch)
			}
		}
	}
	f.Arch = "mips64le"
	tr = recorded.Answered(t, tr,
		shows("chain.mmap", "flags", "0x802 0x812"), shows("chain.clone", "flags", "0x50f00"))
	for _, id := range []string{"GR-003", "GR-004"} {
		if o := recorded.One(t, Area(), id, f, tr); o.Status != verdict.Pass {
			t.Errorf("%s on mips64le: %s", id, o.Reason)
		}
	}
}
