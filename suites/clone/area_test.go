package clone

import (
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/facts"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/release"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// native is the machine that the transcript was recorded on.
func native() facts.Facts {
	return facts.Facts{Arch: "amd64", Release: release.Release{Major: 6, Minor: 18}, PageSize: 4096}
}

func TestClaimsHoldOnTheRecordedKernel(t *testing.T) {
	for id, o := range recorded.Judge(Area(), native(), recorded.Native(t, probe)) {
		if o.Status != verdict.Pass {
			t.Errorf("%s: %s: %s", id, o.Status, o.Reason)
		}
	}
}

// TestClaimsHoldOnOtherKernels judges what cells of the matrix left: the
// oldest and newest kernels, and other numbers and argument orders.
func TestClaimsHoldOnOtherKernels(t *testing.T) {
	for name, tc := range map[string]struct {
		arch    string
		release release.Release
	}{
		"amd64-5.10":   {"amd64", release.Release{Major: 5, Minor: 10}},
		"amd64-7.3":    {"amd64", release.Release{Major: 7, Minor: 3, Patch: 4}},
		"mips64le-6.1": {"mips64le", release.Release{Major: 6, Minor: 1}},
		"s390x-6.1":    {"s390x", release.Release{Major: 6, Minor: 1}},
	} {
		for id, o := range recorded.Judge(Area(), facts.Facts{Arch: tc.arch, Release: tc.release}, recorded.Cell(t, name)) {
			if o.Status != verdict.Pass {
				t.Errorf("%s on %s: %s: %s", id, name, o.Status, o.Reason)
			}
		}
	}
}

// TestEveryAnswerDecidesAClaimAndEveryClaimCanFail turns each answer of the
// kernel round, one at a time.
func TestEveryAnswerDecidesAClaimAndEveryClaimCanFail(t *testing.T) {
	tr := recorded.Native(t, probe)
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
			ids := recorded.Red(recorded.Judge(Area(), native(), recorded.Change(t, tr, o.Step, change)))
			if len(ids) == 0 {
				t.Errorf("%s: %s, and no claim fails", o.Step, what)
			}
			for _, id := range ids {
				failed[id] = true
			}
		}
	}
	for _, c := range Area().Claims {
		if !failed[c.ID] {
			t.Errorf("%s fails for no wrong answer", c.ID)
		}
	}
}

func TestForkMustReallyMakeAChild(t *testing.T) {
	tr := recorded.Native(t, probe)
	for name, change := range map[string]func(*wire.Observation){
		"clone failed":               recorded.Errno(38, "ENOSYS"),
		"no ID":                      recorded.Success("0x0"),
		"ID stored elsewhere":        recorded.Value("parent-tid", "false"),
		"TLS before child_tid":       recorded.Value("child-tid", "false"),
		"child ended in another way": recorded.Value("exit", "139"),
	} {
		if o := recorded.Judge(Area(), native(), recorded.Change(t, tr, "fork", change))["CL-001"]; o.Status != verdict.Fail {
			t.Errorf("%s: %s", name, o.Status)
		}
	}
}

// TestMissingEvidenceIsNeverTheKernelsFault also covers a probe that did not
// run as root, where no answer means anything.
func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	tr := recorded.Native(t, probe)
	for _, o := range tr.Observations {
		if ids := recorded.Red(recorded.Judge(Area(), native(), recorded.Without(t, tr, o.Step))); len(ids) > 0 {
			t.Errorf("without step %s these fail: %v", o.Step, ids)
		}
	}
	noRoot := recorded.Change(t, tr, "dry.limit", recorded.Errno(1, "EPERM"))
	for id, o := range recorded.Judge(Area(), native(), noRoot) {
		if o.Status != verdict.Error && id != "CL-016" {
			t.Errorf("%s without the limit: %s", id, o.Status)
		}
	}
	noNamespace := recorded.Change(t, tr, "newpid.unshare", recorded.Errno(22, "EINVAL"))
	if o := recorded.Judge(Area(), native(), noNamespace)["CL-016"]; o.Status != verdict.Error {
		t.Errorf("CL-016 without PID namespaces: %s", o.Status)
	}
}

func TestExpectationsFollowTheKernelVersion(t *testing.T) {
	tr := recorded.Native(t, probe)
	for _, tc := range []struct {
		release release.Release
		want    string // the claims that the 6.18 recording breaks
	}{
		{release.Release{Major: 5, Minor: 10}, "CL-009"},
		{release.Release{Major: 6, Minor: 8, Patch: 12}, "CL-009"},
		{release.Release{Major: 6, Minor: 9}, ""},
		{release.Release{Major: 7, Minor: 0, Patch: 13}, ""},
		{release.Release{Major: 7, Minor: 1}, "CL-010 CL-015"},
	} {
		f := native()
		f.Release = tc.release
		outcomes := recorded.Judge(Area(), f, tr)
		for _, c := range Area().Claims {
			failed := outcomes[c.ID].Status == verdict.Fail
			if want := strings.Contains(tc.want, c.ID); failed != want {
				t.Errorf("%s on %s: %+v", c.ID, tc.release, outcomes[c.ID])
			}
		}
	}
}

// TestErrorsAreComparedByTheArchitecturesNumber: 11 is EAGAIN here and EDEADLK
// on alpha, whatever name the guest gives it.
func TestErrorsAreComparedByTheArchitecturesNumber(t *testing.T) {
	f := native()
	f.Arch = "alpha"
	if o := recorded.Judge(Area(), f, recorded.Native(t, probe))["CL-002"]; o.Status != verdict.Fail || !strings.Contains(o.Reason, "EDEADLK (11)") {
		t.Errorf("%+v", o)
	}
}

func TestClone3ClaimsDoNotApplyWithoutTheCall(t *testing.T) {
	table := mustTable(t, "amd64")
	for _, c := range clone3Claims() {
		if reason := c.Unsupported(matrix.Cell{}, table); reason != "" {
			t.Errorf("%s does not apply to amd64: %s", c.ID, reason)
		}
	}
	table.Syscall.Clone3 = 0
	for _, c := range clone3Claims() {
		if c.Unsupported(matrix.Cell{}, table) == "" {
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
