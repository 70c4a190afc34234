package recorded

import (
	"maps"
	"slices"
	"testing"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// Wrong is one answer of a kernel that violates a claim. It is an alias, because vet
// would want field names in tables of a defined type.
type Wrong = struct {
	Claim, Step string
	Change      func(*wire.Observation)
}

// EveryClaimCanFail puts each wrong answer in the place of a recorded one, and fails
// unless its claim then fails. Every claim of the suite needs a wrong answer, except
// those that are tested elsewhere. wrong is by recorded cell.
func EveryClaimCanFail(t testing.TB, suite claim.Suite, probe string, wrong map[string][]Wrong, elsewhere ...string) {
	t.Helper()
	for cell, list := range wrong {
		Judged(t, suite, cell, probe, verdict.Fail, list)
		for _, w := range list {
			elsewhere = append(elsewhere, w.Claim)
		}
	}
	for _, c := range suite.Claims {
		if !slices.Contains(elsewhere, c.ID) {
			t.Errorf("no wrong answer shows that %s can fail", c.ID)
		}
	}
}

// Judged puts each answer in the place of a recorded one, and fails unless its claim
// then has the wanted status.
func Judged(t testing.TB, suite claim.Suite, cell, probe string, want verdict.Status, list []Wrong) {
	t.Helper()
	f, tr := Kernel(t, cell, probe)
	for _, w := range list {
		if o := One(t, suite, w.Claim, f, Change(t, tr, w.Step, w.Change)); o.Status != want {
			t.Errorf("%s on %s with another %q: %s, want %s: %s", w.Claim, cell, w.Step, o.Status, want, o.Reason)
		}
	}
}

// Answer is another answer of a kernel in one step.
type Answer struct {
	Step   string
	Change func(*wire.Observation)
}

// Fails returns the answer of a call that fails.
func Fails(step string, number int, name string) Answer { return Answer{step, Errno(number, name)} }

// Succeeds returns the answer of a call that returns a value.
func Succeeds(step, ret string) Answer { return Answer{step, Success(ret)} }

// Shows returns an answer with another observed value.
func Shows(step, key, value string) Answer { return Answer{step, Value(key, value)} }

// All lists the answers of one defect.
func All(answers ...Answer) []Answer { return answers }

// Defects has the answers of defective kernels, by claim and by the name of the
// defect.
type Defects map[string]map[string][]Answer

// EveryDefectIsCaught does the same as EveryClaimCanFail for defects with a name.
func EveryDefectIsCaught(t testing.TB, suite claim.Suite, cell, probe string, defects Defects) {
	t.Helper()
	f, tr := Kernel(t, cell, probe)
	for _, c := range suite.Claims {
		if len(defects[c.ID]) == 0 {
			t.Errorf("no defect shows that %s can fail", c.ID)
		}
	}
	for id, named := range defects {
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if o := One(t, suite, id, f, Answered(t, tr, named[name]...)); o.Status != verdict.Fail || o.Reason == "" {
				t.Errorf("%s, %s: %s, want fail: %s", id, name, o.Status, o.Reason)
			}
		}
	}
}

// SilenceIsNoFault fails if a claim fails because its transcript lacks a step, the
// values of a step, or everything.
func SilenceIsNoFault(t testing.TB, suite claim.Suite, cell, probe string) {
	t.Helper()
	f, tr := Kernel(t, cell, probe)
	for _, o := range tr.Observations {
		if ids := Red(Judge(suite, f, Without(t, tr, o.Step))); len(ids) > 0 {
			t.Errorf("without step %q these fail: %v", o.Step, ids)
		}
		if o.Values == nil {
			continue
		}
		if ids := Red(Judge(suite, f, Change(t, tr, o.Step, untold))); len(ids) > 0 {
			t.Errorf("without knowing what step %q saw these fail: %v", o.Step, ids)
		}
	}
	for id, o := range Judge(suite, f, wire.Transcript{Probe: probe}) {
		if o.Status != verdict.Error && o.Status != verdict.Unsupported {
			t.Errorf("%s on an empty transcript is %s", id, o.Status)
		}
	}
}

// untold makes every value of an observation unknown.
func untold(o *wire.Observation) {
	o.Unknown = map[string]string{}
	for key := range o.Values {
		o.Unknown[key] = "no permission"
	}
	o.Values = nil
}

// One returns the outcome of one claim of a suite.
func One(t testing.TB, suite claim.Suite, id string, f facts.Facts, tr wire.Transcript) verdict.Outcome {
	t.Helper()
	for _, c := range suite.Claims {
		if c.ID == id {
			return Noted(claim.Judge(c, Evidence(f, tr), nil))
		}
	}
	t.Fatalf("suite %s has no claim %s", suite.Name, id)
	return verdict.Outcome{}
}

// EveryAnswerDecides fails unless each claim passes on a transcript, and fails with each
// wrong answer in the place of a right one. Every claim of the suite needs a wrong answer.
func EveryAnswerDecides(t testing.TB, suite claim.Suite, f facts.Facts, right wire.Transcript, wrong []Wrong) {
	t.Helper()
	for _, c := range suite.Claims {
		if o := One(t, suite, c.ID, f, right); o.Status != verdict.Pass {
			t.Errorf("%s, right answers: %s: %s", c.ID, o.Status, o.Reason)
		}
		if !slices.ContainsFunc(wrong, func(w Wrong) bool { return w.Claim == c.ID }) {
			t.Errorf("no wrong answer shows that %s can fail", c.ID)
		}
	}
	for _, w := range wrong {
		if o := One(t, suite, w.Claim, f, Change(t, right, w.Step, w.Change)); o.Status != verdict.Fail {
			t.Errorf("%s with another %q: %s, want fail: %s", w.Claim, w.Step, o.Status, o.Reason)
		}
	}
}

// Only narrows a suite to some of its claims.
func Only(suite claim.Suite, ids ...string) claim.Suite {
	suite.Claims = slices.DeleteFunc(slices.Clone(suite.Claims), func(c claim.Claim) bool { return !slices.Contains(ids, c.ID) })
	return suite
}

// Except narrows a suite to all claims but some.
func Except(suite claim.Suite, ids ...string) claim.Suite {
	suite.Claims = slices.DeleteFunc(slices.Clone(suite.Claims), func(c claim.Claim) bool { return slices.Contains(ids, c.ID) })
	return suite
}
