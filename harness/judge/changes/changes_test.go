package changes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// run returns the report of cells that all have the same outcomes, given as "ID status expected".
func run(cells []string, outcomes ...string) report.Report {
	var described []report.CellReport
	var all []verdict.Outcome
	for _, c := range cells {
		described = append(described, report.CellReport{Name: c})
		for _, o := range outcomes {
			f := strings.Fields(o)
			one := verdict.Outcome{Cell: c, Suite: "s", Claim: f[0], Level: verdict.Must, Status: verdict.Status(f[1])}
			if len(f) > 2 {
				one.Expected, one.Observed = f[2], "seen"
			}
			all = append(all, one)
		}
	}
	return report.New(report.Header{}, "", described, []report.Claim{{ID: "A-1", English: "It <b>|holds.", Chinese: "成立。"}}, all)
}

func TestAChangeIsNamedForWhatItMeans(t *testing.T) {
	for change, want := range map[[2]string]Kind{
		{"A-1 pass", "A-1 pass"}:                         "",
		{"A-1 pass", "A-1 fail"}:                         Regression,
		{"A-1 unsupported", "A-1 error"}:                 Regression,
		{"A-1 pass", "A-1 not-run"}:                      Regression,
		{"A-1 fail", "A-1 pass"}:                         Improvement,
		{"A-1 not-run", "A-1 unsupported"}:               Improvement,
		{"A-1 pass", "A-1 unsupported"}:                  Otherwise,
		{"A-1 fail", "A-1 error"}:                        Otherwise,
		{"A-1 fail 1", "A-1 fail 2"}:                     Otherwise,
		{"A-1 fail 1", "A-1 fail 1"}:                     "",
		{"A-1 pass false", "A-1 pass true"}:              Behaviour,
		{"A-1 unsupported", "A-1 unsupported"}:           "",
		{"A-1 pass 0x7f1200000", "A-1 pass 0x7f1300000"}: Detail, // an address
		{"A-1 pass 9", "A-1 pass 10"}:                    Detail, // as many threads as there were
		{"A-1 pass <8", "A-1 pass 8"}:                    Behaviour,
		{"A-1 pass EINVAL(22)", "A-1 pass EAGAIN(11)"}:   Behaviour,
		{"A-1 fail 9", "A-1 fail 10"}:                    Otherwise,
	} {
		c, err := Between(run([]string{"old"}, change[0]), run([]string{"new"}, change[1]))
		if err != nil {
			t.Fatal(err)
		}
		if want == "" && len(c.List)+len(c.Details) != 0 || want != "" && len(c.Of(want)) != 1 || want == Detail && len(c.List) != 0 {
			t.Errorf("%v: %+v, want %q", change, c.List, want)
		}
	}
}

func TestWhatCannotBeComparedIsSaid(t *testing.T) {
	c, err := Between(run([]string{"a", "b"}, "A-1 pass", "A-2 pass"), run([]string{"b", "c"}, "A-1 pass", "A-3 pass"))
	if err != nil {
		t.Fatal(err)
	}
	want := "[cell a of the first run cell c of the second run A-2 on b of the first run A-3 on b of the second run]"
	if len(c.Pairs) != 1 || fmt.Sprint(c.Unpaired) != want {
		t.Errorf("%v, %v; want %s", c.Pairs, c.Unpaired, want)
	}
	var many []string
	for i := range 20 {
		many = append(many, fmt.Sprintf("A-%d pass", i))
	}
	if c, err = Between(run([]string{"a"}, many...), run([]string{"a"}, "A-1 pass")); err != nil || len(c.Unpaired) != 1 || !strings.HasSuffix(c.Unpaired[0], " and 11 more on a of the first run") {
		t.Errorf("%q, %v", c.Unpaired, err)
	}
	if _, err := Between(run([]string{"a", "b"}), run([]string{"c"})); err == nil || !strings.Contains(err.Error(), "DIR@CELL") {
		t.Errorf("no cell in common: %v", err)
	}
	if _, err := Narrow(run([]string{"a", "b"}), "c"); err == nil || !strings.Contains(err.Error(), "a, b") {
		t.Errorf("no such cell: %v", err)
	}
}

func TestBothObservationsAreShown(t *testing.T) {
	before, after := run([]string{"old"}, "A-1 pass rw-p"), run([]string{"new"}, "A-1 fail r--p")
	c, err := Between(before, after)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		w     Writer
		wants []string
	}{
		{Writer{Claims: before.Claims}, []string{"old against new\n", "Regressions: 1\nA-1 MUST  new: It <b>|holds.\n    - pass: expected rw-p, observed seen\n    + fail: expected r--p, observed seen\n", "1 cells compared: 1 regressions, 1 changes.\n"}},
		{Writer{Claims: before.Claims, Language: language.Chinese}, []string{"退步：1\nA-1 MUST  new: 成立。\n    - pass：预期 rw-p，实际 seen\n"}},
		{Writer{Claims: before.Claims, Markdown: true}, []string{"## Regressions: 1\n", `| A-1 MUST: It &lt;b>\|holds. | new | pass: expected rw-p, observed seen | fail: expected r--p, observed seen |`}},
	} {
		var b strings.Builder
		if err := tc.w.Write(&b, c); err != nil {
			t.Fatal(err)
		}
		for _, want := range tc.wants {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %q in\n%s", want, b.String())
			}
		}
	}
}

// TestDetailsAreListedOnRequestAlone fails if a diff of two runs of one kernel buries a change.
func TestDetailsAreListedOnRequestAlone(t *testing.T) {
	before := run([]string{"c"}, "A-1 pass 9")
	c, err := Between(before, run([]string{"c"}, "A-1 pass 10"))
	if err != nil {
		t.Fatal(err)
	}
	for all, want := range map[bool]string{
		false: "1 cells compared: 0 regressions, 0 changes.\n1 claims pass on both sides with other numbers or details; mapstack diff --all lists them.\n",
		true: "Other numbers or details, which are no change of behaviour: 1\nA-1 MUST  c: It <b>|holds.\n    - pass: expected 9, observed seen\n    + pass: expected 10, observed seen\n\n" +
			"1 cells compared: 0 regressions, 0 changes.\n",
	} {
		var b strings.Builder
		if err := (Writer{Claims: before.Claims, All: all}).Write(&b, c); err != nil || b.String() != want {
			t.Errorf("%v, %q; want %q", err, b.String(), want)
		}
	}
}
