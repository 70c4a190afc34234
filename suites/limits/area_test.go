package limits

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/facts"
	"github.com/mapstack/conformance/harness/release"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// usual is the recording that changes are made to.
const usual = "amd64-6.1"

// kernels are the cells that left a recording. Nothing is recorded on the
// machine that runs the tests: the probe lowers limits of the whole machine.
func kernels() map[string]facts.Facts {
	debian := map[string]string{"kernel.unprivileged_userns_clone": "1"}
	return map[string]facts.Facts{
		"amd64-5.10":      {Arch: "amd64", Release: release.Release{Major: 5, Minor: 10}, Sysctls: debian},
		"amd64-6.1":       {Arch: "amd64", Release: release.Release{Major: 6, Minor: 1}, Sysctls: debian},
		"arm64-6.12-16k":  {Arch: "arm64", Release: release.Release{Major: 6, Minor: 12}, Sysctls: debian},
		"mips64le-6.1":    {Arch: "mips64le", Release: release.Release{Major: 6, Minor: 1}, Sysctls: debian},
		"s390x-7.2":       {Arch: "s390x", Release: release.Release{Major: 7, Minor: 2}, Sysctls: debian},
		"ppc64le-7.2-64k": {Arch: "ppc64le", Release: release.Release{Major: 7, Minor: 2}, Sysctls: debian},
	}
}

func outcome(c claim.Claim, f facts.Facts, tr wire.Transcript) verdict.Outcome {
	return claim.Judge(c, recorded.Evidence(f, tr), nil)
}

func TestAreaIsValid(t *testing.T) {
	if err := claim.Validate([]claim.Area{Area()}); err != nil {
		t.Fatal(err)
	}
}

func TestRecordedKernelsConform(t *testing.T) {
	for name, f := range kernels() {
		for id, o := range recorded.Judge(Area(), f, recorded.Cell(t, name)) {
			if o.Status != verdict.Pass {
				t.Errorf("%s on %s: %s: %s", id, name, o.Status, o.Reason)
			}
		}
	}
}

// TestEveryClaimCanFail fails if a check does not notice what it is about.
func TestEveryClaimCanFail(t *testing.T) {
	tr, f, changes := recorded.Cell(t, usual), kernels()[usual], wrong()
	for _, c := range Area().Claims {
		if len(changes[c.ID]) == 0 {
			t.Errorf("no change is known that makes %s fail", c.ID)
		}
		for _, name := range slices.Sorted(maps.Keys(changes[c.ID])) {
			changed := tr
			for _, change := range changes[c.ID][name] {
				changed = recorded.Change(t, changed, change.step, change.apply)
			}
			if got := outcome(c, f, changed); got.Status != verdict.Fail || got.Reason == "" {
				t.Errorf("%s, %s: %s, want fail: %s", c.ID, name, got.Status, got.Reason)
			}
		}
		delete(changes, c.ID)
	}
	for id := range changes {
		t.Errorf("changes for %s, which is no claim", id)
	}
}

// TestEveryAnswerDecidesAClaim fails if the probe observes an error, or a
// success, that could be any other without anybody noticing.
func TestEveryAnswerDecidesAClaim(t *testing.T) {
	tr, f := recorded.Cell(t, usual), kernels()[usual]
	// Which limit this is, other claims ask of the same code outside the namespace.
	unjudged := []string{"again", "full"}
	// What version 1 has in common with version 2.
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
		for _, got := range recorded.Judge(Area(), f, recorded.Change(t, tr, o.Step, change)) {
			decided = decided || got.Status != verdict.Pass
		}
		if !decided {
			t.Errorf("step %s answers otherwise, and every claim passes", o.Step)
		}
	}
}

// TestMissingEvidenceIsNeverTheKernelsFault removes each step in turn.
func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	tr, f := recorded.Cell(t, usual), kernels()[usual]
	for _, o := range tr.Observations {
		if ids := recorded.Red(recorded.Judge(Area(), f, recorded.Without(t, tr, o.Step))); len(ids) > 0 {
			t.Errorf("without step %s these fail: %v", o.Step, ids)
		}
	}
	for id, o := range recorded.Judge(Area(), f, wire.Transcript{Probe: probe}) {
		if o.Status != verdict.Error {
			t.Errorf("%s on an empty transcript is %s", id, o.Status)
		}
	}
}

// TestWhatCouldNotBeToldIsNoVerdict fails if a kernel is judged by children that
// were not what they should be.
func TestWhatCouldNotBeToldIsNoVerdict(t *testing.T) {
	tr, f := recorded.Cell(t, usual), kernels()[usual]
	for _, tc := range []struct{ claim, step, key, value string }{
		{"LM-001", "nproc.user.who", "uid", "0"},
		{"LM-001", "nproc.user.who", "capeff", "0x0000000000200000"},
		{"LM-001", "nproc.user.refused", "threads.after", "13"},
		{"LM-102", "nproc.user.zombie.refused", "dead", "3"},
		{"LM-002", "nproc.nocaps.in.who", "capeff", "0x000001ffffffffff"},
		{"LM-003", "nproc.admin.who", "capeff", "0x0000000001200000"},
		{"LM-004", "nproc.usersns.in.who", "uid", "65534"},
		{"LM-008", "pidns.outside", "before", "12345"},
		{"LM-008", "pidns.child", "exit", "2"},
		{"LM-103", "nproc.usersns.in.refused", "parent", "0"},
		{"LM-011", "pids.nested.refused", "inner.max", "20"},
		{"LM-019", "stack.threads", "before", "24"},
		{"LM-022", "memory.child", "timedout", "true"},
		{"LM-109", "defaults", "possible", "0-1,4-5"},
	} {
		changed := recorded.Change(t, tr, tc.step, recorded.Value(tc.key, tc.value))
		if got := recorded.Judge(Area(), f, changed)[tc.claim]; got.Status != verdict.Error {
			t.Errorf("%s with %s %s=%s: %s: %s", tc.claim, tc.step, tc.key, tc.value, got.Status, got.Reason)
		}
	}
}

// TestVersionIsACrossCheck fails if a kernel that behaves as another version
// goes unnoticed: that is a back-port, and a deviation has to say so.
func TestVersionIsACrossCheck(t *testing.T) {
	for _, tc := range []struct {
		recording string
		release   release.Release
		want      string // the claims that fail
	}{
		{"amd64-5.10", release.Release{Major: 5, Minor: 13}, ""},
		{"amd64-5.10", release.Release{Major: 5, Minor: 14}, "LM-103"},
		{"amd64-6.1", release.Release{Major: 6, Minor: 10, Patch: 14}, ""},
		{"amd64-6.1", release.Release{Major: 6, Minor: 11}, "LM-112"},
		{"arm64-6.12-16k", release.Release{Major: 6, Minor: 13}, ""},
		{"arm64-6.12-16k", release.Release{Major: 6, Minor: 14}, "LM-008"},
		{"s390x-7.2", release.Release{Major: 6, Minor: 14}, ""},
		{"s390x-7.2", release.Release{Major: 5, Minor: 10}, "LM-008 LM-103 LM-112"},
	} {
		f := kernels()[tc.recording]
		f.Release = tc.release
		if got := strings.Join(recorded.Red(recorded.Judge(Area(), f, recorded.Cell(t, tc.recording))), " "); got != tc.want {
			t.Errorf("%s as %s: %q fail, want %q", tc.recording, tc.release, got, tc.want)
		}
	}
}

// TestErrorsAreComparedByTheArchitecturesNumber: 11 is EAGAIN here and EDEADLK
// on alpha, whatever name the guest gives it.
func TestErrorsAreComparedByTheArchitecturesNumber(t *testing.T) {
	f := kernels()[usual]
	f.Arch = "sw64"
	got := recorded.Judge(Area(), f, recorded.Cell(t, usual))["LM-001"]
	if got.Status != verdict.Fail || !strings.Contains(got.Reason, "EDEADLK (11)") {
		t.Errorf("%+v", got)
	}
}

// TestDebiansSysctlMayBeAbsent: other distributions do not have it.
func TestDebiansSysctlMayBeAbsent(t *testing.T) {
	tr := recorded.Change(t, recorded.Cell(t, usual), "userns.debian", func(o *wire.Observation) {
		*o = wire.Observation{Step: o.Step, Values: map[string]string{"sysctl": "absent"}}
	})
	f := kernels()[usual]
	f.Sysctls = nil
	if got := recorded.Judge(Area(), f, tr)["CL-102"]; got.Status != verdict.Pass {
		t.Errorf("%+v", got)
	}
}

// TestManyCPUsRaiseTheSmallestPIDMax: 8 IDs are kept for each possible CPU.
func TestManyCPUsRaiseTheSmallestPIDMax(t *testing.T) {
	tr := recorded.Change(t, recorded.Cell(t, usual), "defaults", recorded.Value("possible", "0-63"))
	if got := recorded.Judge(Area(), kernels()[usual], tr)["LM-109"]; got.Status != verdict.Fail {
		t.Errorf("301 accepted with 64 CPUs: %+v", got)
	}
	tr = recorded.Change(t, tr, "pidmax.301", recorded.Errno(22, "EINVAL"))
	if got := recorded.Judge(Area(), kernels()[usual], tr)["LM-109"]; got.Status != verdict.Pass {
		t.Errorf("301 refused with 64 CPUs: %+v", got)
	}
}
