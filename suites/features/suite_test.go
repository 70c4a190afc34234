package features

import (
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/feature"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

func TestMain(m *testing.M) { recorded.Main(m, Suite()) }

// usual is the recorded cell that wrong answers are given on.
const usual = "amd64-debian13bpo-newest"

// lacking has, by claim, the answers of a kernel without its feature.
func lacking() map[string][]recorded.Answer {
	return map[string][]recorded.Answer{
		"FE-001": {recorded.Fails("dry.clone3 process", 38, "ENOSYS")},
		"FE-002": {recorded.Fails("dry.clone3 set_tid without size", 7, "E2BIG")},
		"FE-003": {recorded.Fails("dry.clone3 clear_sighand", 22, "EINVAL")},
		"FE-004": {recorded.Fails("dry.clone3 newtime", 22, "EINVAL")},
		"FE-005": {recorded.Fails("dry.clone3 into_cgroup", 22, "EINVAL")},
		"FE-006": {
			recorded.Fails("dry.pidfd with detached", 11, "EAGAIN"), recorded.Fails("dry.pidfd with parent_settid", 11, "EAGAIN"),
			recorded.Shows("pidfd of a child", "stored", "false"),
		},
		"FE-007": {recorded.Fails("traced.entry", 5, "EIO")},
		"FE-008": {recorded.Fails("traced.set", 5, "EIO")},
		"FE-009": {recorded.Fails("listener.filter", 22, "EINVAL")},
		"FE-010": {recorded.Fails("listener.getfd", 38, "ENOSYS")},
	}
}

// answered returns a transcript with other answers, which need not have been recorded.
func answered(tr wire.Transcript, answers []recorded.Answer) wire.Transcript {
	tr.Observations = slices.Clone(tr.Observations)
	for _, a := range answers {
		i := slices.IndexFunc(tr.Observations, func(o wire.Observation) bool { return o.Step == a.Step })
		if i < 0 {
			i, tr.Observations = len(tr.Observations), append(tr.Observations, wire.Observation{Step: a.Step})
		}
		o := wire.Observation{Step: a.Step, Values: map[string]string{}}
		a.Change(&o)
		tr.Observations[i] = o
	}
	return tr
}

// TestAMissingFeatureIsAFindingFromItsVersionOn fails if a kernel that should have a feature
// lacks it without a word, or if an older one is accused, or one behind a filter.
func TestAMissingFeatureIsAFindingFromItsVersionOn(t *testing.T) {
	suite := Suite()
	for _, c := range suite.Claims {
		f, tr := recorded.Kernel(t, usual, c.Probe)
		answers, known := lacking()[c.ID]
		if !known {
			t.Errorf("no answer shows that %s can fail", c.ID)
			continue
		}
		old, without := f, answered(tr, answers)
		if o := recorded.One(t, suite, c.ID, f, without); o.Status != verdict.Fail || o.Level != verdict.Should {
			t.Errorf("%s on a new kernel without it: %s %s: %s", c.ID, o.Level, o.Status, o.Reason)
		}
		old.Release = release.Release{Major: 4, Minor: 19, Patch: 90}
		if o := recorded.One(t, suite, c.ID, old, without); o.Status != verdict.Unsupported {
			t.Errorf("%s on 4.19: %s: %s", c.ID, o.Status, o.Reason)
		}
		behind := f
		behind.Filtered = true
		if o := recorded.One(t, suite, c.ID, behind, without); o.Status != verdict.Unsupported {
			t.Errorf("%s behind a filter: %s: %s", c.ID, o.Status, o.Reason)
		}
	}
}

// TestWhatIsMissingIsFoundOnce fails if a kernel without clone3 is told so for each part of
// it as well.
func TestWhatIsMissingIsFoundOnce(t *testing.T) {
	f, tr := recorded.Kernel(t, usual, "cloneflags")
	for i, o := range tr.Observations {
		if strings.HasPrefix(o.Step, "dry.clone3 ") {
			recorded.Errno(38, "ENOSYS")(&o)
			tr.Observations[i] = o
		}
	}
	if ids := recorded.Red(recorded.Judge(recorded.Of(Suite(), "cloneflags"), f, tr)); !slices.Equal(ids, []string{"FE-001"}) {
		t.Errorf("these fail: %v", ids)
	}
}

// TestEveryFeatureOfAVersionIsClaimed fails if a kernel may lack what its version promises
// and nobody says so.
func TestEveryFeatureOfAVersionIsClaimed(t *testing.T) {
	for _, f := range feature.All() {
		if !slices.ContainsFunc(Suite().Claims, func(c claim.Claim) bool { return strings.HasSuffix(c.English, " or later has "+f.Name+".") }) {
			t.Errorf("no claim is about %s", f.Name)
		}
	}
}
