package clone

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// usual is the recorded cell that wrong answers are given on.
const usual = "amd64-debian13bpo-newest"

// TestEveryAnswerDecidesAClaimAndEveryClaimCanFail fails if an answer of the kernel
// could be another without a claim noticing. It changes one answer at a time.
func TestEveryAnswerDecidesAClaimAndEveryClaimCanFail(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	failed := map[string]bool{}
	for _, o := range tr.Observations {
		if o.Errno == 0 {
			continue
		}
		other := recorded.Errno(22, "EINVAL")
		if o.Errno == 22 {
			other = recorded.Errno(11, "EAGAIN")
		}
		for what, change := range map[string]func(*wire.Observation){
			"answered otherwise": other, "a child was made": recorded.Success("0x63"),
		} {
			ids := recorded.Red(recorded.Judge(Suite(), f, recorded.Change(t, tr, o.Step, change)))
			if len(ids) == 0 {
				t.Errorf("%s: %s, and no claim fails", o.Step, what)
			}
			for _, id := range ids {
				failed[id] = true
			}
		}
	}
	for _, c := range Suite().Claims {
		if !failed[c.ID] {
			t.Errorf("%s fails for no wrong answer", c.ID)
		}
	}
}

func TestForkMustReallyMakeAChild(t *testing.T) {
	recorded.Judged(t, Suite(), usual, probe, verdict.Fail, []recorded.Wrong{
		{"CL-001", "fork", recorded.Errno(38, "ENOSYS")},
		{"CL-001", "fork", recorded.Success("0x0")},
		{"CL-001", "fork", recorded.Value("parent-tid", "false")},
		{"CL-001", "fork", recorded.Value("child-tid", "false")}, // TLS before child_tid
		{"CL-001", "fork", recorded.Value("exit", "139")},
	})
}

// TestMissingEvidenceIsNeverTheKernelsFault also covers a probe that did not run as
// root: none of its answers counts.
func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	recorded.SilenceIsNoFault(t, Suite(), usual, probe)
	noRoot := recorded.Change(t, tr, "dry.limit", recorded.Errno(1, "EPERM"))
	for id, o := range recorded.Judge(Suite(), f, noRoot) {
		if o.Status != verdict.Error && id != "CL-016" && id != "CL-021" { // which ran without it
			t.Errorf("%s without the limit: %s", id, o.Status)
		}
	}
	noNamespace := recorded.Change(t, tr, "newpid.unshare", recorded.Errno(22, "EINVAL"))
	if o := recorded.Judge(Suite(), f, noNamespace)["CL-016"]; o.Status != verdict.Error {
		t.Errorf("CL-016 without PID namespaces: %s", o.Status)
	}
}

// TestCloneRecoversFromExecve fails if a kernel passes that answers EAGAIN for
// ever, or for every child, and not only for CLONE_FS during execve.
func TestCloneRecoversFromExecve(t *testing.T) {
	eagain := recorded.Errno(11, "EAGAIN")
	recorded.Judged(t, Suite(), usual, probe, verdict.Fail, []recorded.Wrong{
		{"CL-021", "exec.before", eagain},
		{"CL-021", "exec.during", recorded.Success("0x63")},
		{"CL-021", "exec.during, without fs", eagain},
		{"CL-021", "exec.after", eagain},
	})
	recorded.Judged(t, Suite(), usual, probe, verdict.Error, []recorded.Wrong{
		{"CL-021", "exec.lease", recorded.Errno(22, "EINVAL")}, // a file system without leases
		{"CL-021", "exec.execve", eagain},
	})
}

func TestExpectationsFollowTheKernelVersion(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	for _, tc := range []struct {
		release release.Release
		want    string // the claims that the newest kernel breaks
	}{
		{release.Release{Major: 5, Minor: 10}, "CL-009 CL-010 CL-015"},
		{release.Release{Major: 6, Minor: 8, Patch: 12}, "CL-009 CL-010 CL-015"},
		{release.Release{Major: 6, Minor: 9}, "CL-010 CL-015"},
		{release.Release{Major: 7, Minor: 0, Patch: 13}, "CL-010 CL-015"},
		{release.Release{Major: 7, Minor: 1}, ""},
	} {
		f.Release = tc.release
		outcomes := recorded.Judge(Suite(), f, tr)
		for _, c := range Suite().Claims {
			failed := outcomes[c.ID].Status == verdict.Fail
			if want := strings.Contains(tc.want, c.ID); failed != want {
				t.Errorf("%s on %s: %+v", c.ID, tc.release, outcomes[c.ID])
			}
		}
	}
}

// TestErrorsAreComparedByTheArchitecturesNumber fails if errors are compared by
// the name that the guest gives them: 11 is EAGAIN here and EDEADLK on alpha.
func TestErrorsAreComparedByTheArchitecturesNumber(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, probe)
	f.Arch = "alpha"
	if o := recorded.Judge(Suite(), f, tr)["CL-002"]; o.Status != verdict.Fail || !strings.Contains(o.Reason, "EDEADLK (11)") {
		t.Errorf("%+v", o)
	}
}

func TestClone3ClaimsDoNotApplyWithoutTheCall(t *testing.T) {
	table := mustTable(t, "amd64")
	for _, c := range clone3Claims() {
		if reason := c.Inapplicable(matrix.Cell{}, table); reason != "" {
			t.Errorf("%s does not apply to amd64: %s", c.ID, reason)
		}
	}
	table.Syscall.Clone3 = 0
	for _, c := range clone3Claims() {
		if c.Inapplicable(matrix.Cell{}, table) == "" {
			t.Errorf("%s applies where there is no clone3", c.ID)
		}
	}
}

func mustTable(t *testing.T, goarch string) abi.Table {
	t.Helper()
	table, ok := abi.Lookup(goarch)
	if !ok {
		t.Fatalf("no table for %s", goarch)
	}
	return table
}
