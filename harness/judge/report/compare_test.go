package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// TestOnlyHowKernelsAreIsRecorded fails if tests could be given a part, a defect
// or a failure as what real kernels do.
func TestOnlyHowKernelsAreIsRecorded(t *testing.T) {
	conformant := verdict.Decision{Verdict: verdict.Conformant}
	for want, r := range map[string]Report{
		"":                   {Verdict: conformant},
		"defect stack-eperm": {Verdict: conformant, Defect: &Defect{Name: "stack-eperm"}},
		"of MS-003 alone":    {Verdict: conformant, Focus: "MS-003"},
		"incomplete":         {Verdict: verdict.Decision{Verdict: verdict.Incomplete}},
		"is incomplete":      {Verdict: verdict.Decision{Verdict: verdict.NonConformant, Counts: verdict.Counts{Fail: 1, NotRun: 1}}},
	} {
		err := r.Recordable()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
}

// TestAReportThatItsEvidenceDoesNotGiveIsRefused fails if a certificate could
// be forged in the one file that people read.
func TestAReportThatItsEvidenceDoesNotGiveIsRefused(t *testing.T) {
	written := func(focus, sha string, status verdict.Status, reason string) Report {
		return New(Header{Started: time.Now()}, focus,
			[]CellReport{{Name: "a", Kernel: Kernel{Provenance: Provenance{SHA256: sha}}}}, nil,
			[]verdict.Outcome{{Cell: "a", Suite: "s", Claim: "MS-001", Level: verdict.Must, Status: status, Reason: reason}})
	}
	honest := written("", "aa", verdict.Fail, "refused")
	for name, c := range map[string]struct {
		written Report
		want    string // "" to be accepted
	}{
		"the same, another day": {written("", "aa", verdict.Fail, "refused"), ""},
		"a fail made a pass":    {written("", "aa", verdict.Pass, ""), "MS-001 on cell a as pass"},
		"a milder reason":       {written("", "aa", verdict.Fail, "unlucky"), "another reason"},
		"another kernel":        {written("", "bb", verdict.Fail, "refused"), "kernels"},
		"another focus":         {written("s", "aa", verdict.Fail, "refused"), "focus"},
		"no outcomes":           {New(Header{}, "", nil, nil, nil), "0 outcomes"},
	} {
		b, err := json.Marshal(c.written)
		if err != nil {
			t.Fatal(err)
		}
		err = honest.Compare("report.json", b)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestARecordThatDoesNotApplyIsRefused fails if a report can claim that a failure is known.
func TestARecordThatDoesNotApplyIsRefused(t *testing.T) {
	judged := func(k verdict.Known) Report {
		return New(Header{}, "", []CellReport{{Name: "a"}}, nil,
			[]verdict.Outcome{{Cell: "a", Suite: "s", Claim: "MS-001", Level: verdict.Must, Status: verdict.Fail, Known: k}})
	}
	forged, err := json.Marshal(judged(verdict.Known{Reason: "r", Link: "l"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := judged(verdict.Known{}).Compare("report.json", forged); err == nil || !strings.Contains(err.Error(), "another record of a known failure") {
		t.Error(err)
	}
	if err := judged(verdict.Known{Reason: "r", Link: "l"}).Compare("report.json", forged); err != nil {
		t.Error(err)
	}
}

// FuzzCompare reads a report that somebody else wrote, or changed.
func FuzzCompare(f *testing.F) {
	r := New(Header{}, "", []CellReport{{Name: "a"}}, nil, []verdict.Outcome{{Cell: "a", Suite: "s", Claim: "MS-001", Level: verdict.Must, Status: verdict.Fail, Reason: "refused"}})
	b, err := json.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"outcomes":[{"status":"pass"}],"cells":null}`))
	f.Fuzz(func(t *testing.T, written []byte) {
		if err := r.Compare("report.json", written); err != nil {
			return
		}
		var said Report
		if err := json.Unmarshal(written, &said); err != nil || len(said.Outcomes) != 1 || said.Outcomes[0].Status != verdict.Fail {
			t.Errorf("%q is taken for the report", written)
		}
	})
}
