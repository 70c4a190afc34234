package article

import (
	"os"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

func TestWhatATierSaysFollowsFromItsOutcomesAlone(t *testing.T) {
	a := Article{Arch: "sw64", Assertions: []Assertion{
		{ID: "wrong", RefutedBy: []string{"X-1", "X-2"}, Model: []string{"X-3"}},
		{ID: "right", ConfirmedBy: []string{"X-1"}},
	}}
	cells := []matrix.Cell{
		{Name: "r", For: "sw64", Tier: matrix.Real}, {Name: "t", For: "sw64", Tier: matrix.Twin},
		{Name: "m", For: "sw64", Tier: matrix.Model}, {Name: "other", Arch: "amd64"},
	}
	outcome := func(cell, claim string, status verdict.Status, why string) verdict.Outcome {
		return verdict.Outcome{Cell: cell, Claim: claim, Level: verdict.Must, Status: status, Reason: why}
	}
	for name, tc := range map[string]struct {
		outcomes                       []verdict.Outcome
		real, twin, model, right, miss string
	}{
		"nothing ran": {nil, "not run", "not run", "not run", "not run", "no cell"},
		"the twin holds": {[]verdict.Outcome{outcome("t", "X-1", verdict.Pass, ""), outcome("t", "X-2", verdict.Pass, ""),
			outcome("r", "X-1", verdict.NotRun, "set SW64_KERNEL"), outcome("m", "X-3", verdict.Pass, "")},
			"not run", "wrong", "shown", "not run", "set SW64_KERNEL"},
		"one claim fails": {[]verdict.Outcome{outcome("t", "X-1", verdict.Pass, ""), outcome("t", "X-2", verdict.Fail, "x"),
			outcome("m", "X-3", verdict.Fail, "x"), outcome("r", "X-1", verdict.Pass, "")},
			"not run: X-2", "not refuted: X-2", "not shown", "right", ""},
		"one does not apply": {[]verdict.Outcome{outcome("t", "X-1", verdict.Pass, ""), outcome("t", "X-2", verdict.Unsupported, "x"),
			outcome("r", "X-1", verdict.Fail, "x"), outcome("r", "X-2", verdict.NotRun, "")},
			"not refuted: X-1", "wrong, without X-2", "not run", "not confirmed", ""},
		"an error is no answer": {[]verdict.Outcome{outcome("t", "X-1", verdict.Error, ""), outcome("t", "X-2", verdict.Pass, "")},
			"not run", "error: X-1", "not run", "not run", "no cell"},
		"another cell says nothing": {[]verdict.Outcome{outcome("other", "X-1", verdict.Pass, ""), outcome("other", "X-2", verdict.Pass, "")},
			"not run", "not run", "not run", "not run", "no cell"},
	} {
		got := a.Judge(cells, tc.outcomes)
		first, second := got.Assertions[0], got.Assertions[1]
		if first.Real != tc.real || first.Twin != tc.twin || first.Model != tc.model || second.Real != tc.right {
			t.Errorf("%s: real %q, twin %q, model %q, right %q", name, first.Real, first.Twin, first.Model, second.Real)
		}
		if miss := got.Tiers[0].Missing; !strings.Contains(miss, tc.miss) || (miss == "") != (tc.miss == "") {
			t.Errorf("%s: missing %q, want %q", name, miss, tc.miss)
		}
	}
	if got := a.Judge(cells[1:], nil); got != nil {
		t.Errorf("a twin alone is shown as tiers: %+v", got)
	}
}

func TestABadArticleSaysWhatIsWrong(t *testing.T) {
	const good = "title: t\nurl: u\narch: sw64\nassertions:\n  - {id: A, en: e, zh: z, refutedBy: [X-1]}\n"
	if _, err := parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ from, to, want string }{
		"no title":         {"title: t\n", "", "title or url"},
		"no way to decide": {", refutedBy: [X-1]", "", "exactly one of"},
		"two ways":         {"refutedBy: [X-1]", "refutedBy: [X-1], confirmedBy: [X-1]", "exactly one of"},
		"one language":     {", zh: z", "", "both languages"},
		"half a reading":   {"refutedBy: [X-1]", "read: {en: e}", "both languages"},
		"a model read":     {"refutedBy: [X-1]", "read: {en: e, zh: z}, model: [X-1]", "no model"},
		"twice":            {"]}\n", "]}\n  - {id: A, en: e, zh: z, refutedBy: [X-1]}\n", "twice"},
		"unknown field":    {"refutedBy", "refuted", "refuted"},
	} {
		if _, err := parse([]byte(strings.Replace(good, tc.from, tc.to, 1))); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestTheArticleOfTheFixturesIsWhole(t *testing.T) {
	a, err := Load(os.DirFS("../../../fixtures"))
	if err != nil {
		t.Fatal(err)
	}
	if a.Arch != "sw64" || len(a.Assertions) < 20 || len(a.Models()) < 4 {
		t.Errorf("%s: %d assertions, models %v", a.Arch, len(a.Assertions), a.Models())
	}
}
