package clone

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// usual is the recorded cell that wrong answers are given on.
const usual = "amd64-debian13bpo-newest"

// TestEveryAnswerDecidesAClaimAndEveryClaimCanFail fails if an answer of the kernel
// could be another without a claim noticing. It changes one answer at a time. An answer
// that says that a feature is missing makes its claims unsupported; suite features claims
// the feature.
func TestEveryAnswerDecidesAClaimAndEveryClaimCanFail(t *testing.T) {
	f, tr := kernel(t)
	failed, before := map[string]bool{}, recorded.Judge(Suite(), f, tr)
	for _, o := range tr.Observations {
		if o.Errno == 0 || !strings.HasPrefix(o.Step, in) && !strings.HasPrefix(o.Step, "newpid.") && !strings.HasPrefix(o.Step, "exec.") {
			continue // see TestEveryWrongChildFailsAClaim
		}
		other := recorded.Errno(22, "EINVAL")
		if o.Errno == 22 {
			other = recorded.Errno(11, "EAGAIN")
		}
		for what, change := range map[string]func(*wire.Observation){
			"answered otherwise": other, "a child was made": recorded.Success("0x63"), "said to be missing": recorded.Errno(38, "ENOSYS"),
		} {
			outcomes := recorded.Judge(Suite(), f, recorded.Change(t, tr, o.Step, change))
			ids := recorded.Red(outcomes)
			if len(ids) == 0 && !lacksMore(before, outcomes) {
				t.Errorf("%s: %s, and no claim fails", o.Step, what)
			}
			for _, id := range ids {
				failed[id] = true
			}
		}
	}
	for _, c := range slices.Concat(legacyClaims(), namespaceClaims(), clone3Claims()) {
		if !failed[c.ID] {
			t.Errorf("%s fails for no wrong answer", c.ID)
		}
	}
}

// lacksMore reports whether a claim is unsupported that was not.
func lacksMore(before, after map[string]verdict.Outcome) bool {
	for id, o := range after {
		if o.Status == verdict.Unsupported && before[id].Status != verdict.Unsupported {
			return true
		}
	}
	return false
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

// TestMissingEvidenceIsNeverTheKernelsFault also covers a probe that could set no limit
// although no process can be made: none of its answers counts.
func TestMissingEvidenceIsNeverTheKernelsFault(t *testing.T) {
	f, tr := kernel(t)
	recorded.SilenceIsNoFault(t, Suite(), usual, probe)
	noRoot := recorded.Change(t, tr, "dry.limit", recorded.Errno(1, "EPERM"))
	for id, o := range recorded.Judge(Suite(), f, noRoot) {
		without := slices.ContainsFunc(slices.Concat(realClaims(), realClone3Claims(), tlsClaims()), func(c claim.Claim) bool { return c.ID == id && id != "CL-024" && id != "CL-032" })
		if o.Status != verdict.Error && id != "CL-016" && id != "CL-019" && id != "CL-021" && !without { // which ran without it
			t.Errorf("%s without the limit: %s", id, o.Status)
		}
	}
	refused := recorded.Change(t, tr, "newpid.unshare", recorded.Errno(1, "EPERM"))
	if o := recorded.Judge(Suite(), f, refused)["CL-016"]; o.Status != verdict.Error {
		t.Errorf("CL-016 where root may not unshare: %s", o.Status)
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
	recorded.Judged(t, Suite(), usual, probe, verdict.Error, []recorded.Wrong{{"CL-021", "exec.execve", eagain}})
	recorded.Judged(t, Suite(), usual, probe, verdict.Unsupported, []recorded.Wrong{
		{"CL-021", "exec.lease", recorded.Errno(22, "EINVAL")}, // a kernel without file locking
		{"CL-021", "exec.lease", eagain},                       // tmpfs of 4.19
		{"CL-021", "exec.lease", unknown("no folder for temporary files")},
		{"CL-021", "exec.execve", unknown("the thread did not wait for the lease")},
	})
}

func TestExpectationsFollowTheKernelVersion(t *testing.T) {
	f, tr := kernel(t)
	for _, tc := range []struct {
		release release.Release
		want    string // the claims that the newest kernel breaks
	}{
		{release.Release{Major: 5, Minor: 10}, "CL-009 CL-010 CL-015 CL-039 CL-040 CL-043"},
		{release.Release{Major: 6, Minor: 8, Patch: 12}, "CL-009 CL-010 CL-015 CL-039 CL-040 CL-043"},
		{release.Release{Major: 6, Minor: 9}, "CL-010 CL-015 CL-040 CL-043"},
		{release.Release{Major: 7, Minor: 0, Patch: 13}, "CL-010 CL-015 CL-040 CL-043"},
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
	if o := recorded.Judge(Suite(), f, tr)["CL-002"]; o.Status != verdict.Fail || !strings.Contains(o.Observed, "EDEADLK (11)") {
		t.Errorf("%+v", o)
	}
}

func TestClone3ClaimsDoNotApplyWithoutTheCall(t *testing.T) {
	table := mustTable(t, "amd64")
	for _, c := range append(clone3Claims(), realClone3Claims()...) {
		if reason := c.Inapplicable(matrix.Cell{}, table); reason != "" {
			t.Errorf("%s does not apply to amd64: %s", c.ID, reason)
		}
	}
	table.Syscall.Clone3 = 0
	for _, c := range append(clone3Claims(), realClone3Claims()...) {
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

// unknown returns a change after which nobody knows what a call returns.
func unknown(why string) func(*wire.Observation) {
	return func(o *wire.Observation) { o.Ret, o.Unknown = "", map[string]string{"ret": why} }
}

// answered returns a transcript with other answers, which need not have been recorded.
func answered(tr wire.Transcript, answers ...recorded.Answer) wire.Transcript {
	tr.Observations = slices.Clone(tr.Observations)
	for _, a := range answers {
		i := slices.IndexFunc(tr.Observations, func(o wire.Observation) bool { return o.Step == a.Step })
		if i < 0 {
			i, tr.Observations = len(tr.Observations), append(tr.Observations, wire.Observation{Step: a.Step})
		}
		o := tr.Observations[i]
		if o.Values = maps.Clone(o.Values); o.Values == nil {
			o.Values = map[string]string{}
		}
		a.Change(&o)
		tr.Observations[i] = o
	}
	return tr
}

// free returns the answers of a right kernel to a probe that could not become another user:
// every call whose flags are accepted makes a child.
func free(t *testing.T) (facts.Facts, wire.Transcript) {
	t.Helper()
	f, tr := kernel(t)
	answers := recorded.All(recorded.Fails("dry.limit", 22, "EINVAL"), recorded.Fails("newpid.limit", 22, "EINVAL"))
	for _, o := range tr.Observations {
		if o.Error != accepted || !strings.HasPrefix(o.Step, in) && !strings.HasPrefix(o.Step, "newpid.") {
			continue
		}
		switch step := strings.TrimPrefix(o.Step, in); step {
		case "pidfd of a thread", "clone3 pidfd of a thread", "clone3 autokill":
			answers = append(answers, recorded.Fails(o.Step, 14, "EFAULT"))
		case "clone3 into_cgroup":
			answers = append(answers, recorded.Fails(o.Step, 9, "EBADF"))
		default:
			answers = append(answers, recorded.Succeeds(o.Step, "0x63"))
		}
	}
	answers = append(answers, recorded.Answer{Step: "dry.limit", Change: func(o *wire.Observation) { o.Call = "setresuid(65534, 65534, 65534)" }})
	return f, answered(tr, answers...)
}

// TestWithoutAnotherUserChildrenDecide fails if claims need a user besides root, or if a
// wrong answer passes where there is none.
func TestWithoutAnotherUserChildrenDecide(t *testing.T) {
	f, tr := free(t)
	limited := recorded.Judge(Suite(), f, func() wire.Transcript { _, tr := kernel(t); return tr }())
	for id, o := range recorded.Judge(Suite(), f, tr) {
		want := limited[id].Status
		if id == "CL-019" { // in which order the limit is checked
			want = verdict.Unsupported
		}
		if o.Status != want {
			t.Errorf("%s: %s, want %s: %s", id, o.Status, want, o.Reason)
		}
	}
	for _, wrong := range []struct{ step, error, id string }{
		{"dry.go thread", "EINVAL", "CL-002"}, {"dry.go thread", "EAGAIN", "CL-002"}, {"dry.glibc thread", "EPERM", "CL-003"},
		{"dry.sighand without vm", "", "CL-004"}, {"dry.thread alone", "", "CL-005"}, {"dry.io", "EINVAL", "CL-006"},
		{"dry.every flag", "", "CL-038"}, {"dry.clone3 size 64", "EINVAL", "CL-011"}, {"dry.clone3 size 63", "", "CL-011"},
		{"dry.clone3 bit 63", "", "CL-044"}, {"dry.clone3 go thread", "EFAULT", "CL-020"}, {"newpid.thread", "", "CL-016"},
		{"newpid.process", "EINVAL", "CL-016"}, {"dry.clone3 size of a page", "E2BIG", "CL-026"}, {"dry.clone3 pidfd of a thread", "EINVAL", "CL-039"},
	} {
		answer := recorded.Succeeds(wrong.step, "0x63")
		if wrong.error != "" {
			table, _ := abi.Lookup(f.Arch)
			answer = recorded.Fails(wrong.step, table.Errno(wrong.error), wrong.error)
		}
		if o := recorded.One(t, Suite(), wrong.id, f, answered(tr, answer)); o.Status != verdict.Fail && (wrong.step != "newpid.process" || o.Status != verdict.Error) {
			t.Errorf("%s with %q for %s: %s %s", wrong.id, wrong.error, wrong.step, o.Status, o.Reason)
		}
	}
}
