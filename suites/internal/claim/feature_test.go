package claim

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
)

// sighted is a claim that needs a feature, of which this is seen.
func sighted(s Sight) Claim {
	c := sample()
	c.Features = []Feature{{Name: "clone3", Since: release.Release{Major: 5, Minor: 3}, Seen: func(Shown) Sight { return s }}}
	c.Check = func(g gomega.Gomega, _ Transcript, _ facts.Facts) {
		g.Expect(1).To(gomega.Equal(2), "the kernel is accused")
	}
	return c
}

// TestWhatASystemLacksIsNoFailure fails if a kernel is accused, or the tests, of what the
// system does not have, or if what could not be seen passes for nothing.
func TestWhatASystemLacksIsNoFailure(t *testing.T) {
	for name, tc := range map[string]struct {
		sight  Sight
		status verdict.Status
		reason string
	}{
		"absent":         {Sight{Absent, "it answers ENOSYS"}, verdict.Unsupported, "the system has no clone3: it answers ENOSYS; this is Linux 4.19, and it came with 5.3"},
		"could not tell": {Sight{CouldNotTell, "no step"}, verdict.Error, "could not tell whether the system has clone3: no step"},
		"present":        {Sight{State: Present}, verdict.Fail, "the kernel is accused"},
	} {
		c := sighted(tc.sight)
		ev := Evidence{Cell: matrix.Cell{Name: "c", Arch: "amd64"}, Facts: &facts.Facts{Arch: "amd64", Release: release.Release{Major: 4, Minor: 19}},
			Transcripts: map[string]wire.Transcript{c.Probe: {Probe: c.Probe}}}
		o := Judge(c, ev, nil)
		if o.Status != tc.status || !strings.Contains(o.Reason, tc.reason) || (o.Feature == "clone3") != (tc.sight.State != Present) {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// TestASuiteOfWhichLittleWasDecidedDecidesNothing fails if "conformant" can hide that half
// of the claims are unsupported.
func TestASuiteOfWhichLittleWasDecidedDecidesNothing(t *testing.T) {
	holds := sample()
	holds.Check = func(g gomega.Gomega, _ Transcript, _ facts.Facts) { g.Expect(1).To(gomega.Equal(1)) }
	lacks, elsewhere := sighted(Sight{Absent, "how"}), sample()
	elsewhere.Unsupported = func(matrix.Cell, abi.Table) string { return "another architecture" }
	unseen := sighted(Sight{CouldNotTell, "how"})
	ev := Evidence{Cell: matrix.Cell{Name: "c", Arch: "amd64"}, Facts: &facts.Facts{Arch: "amd64"}, Transcripts: map[string]wire.Transcript{holds.Probe: {Probe: holds.Probe}}}
	for name, tc := range map[string]struct {
		claims []Claim
		want   verdict.Status
	}{
		"enough":              {[]Claim{holds, holds, lacks}, verdict.Pass},
		"too few":             {[]Claim{holds, lacks, lacks}, verdict.NotRun},
		"too few, by errors":  {[]Claim{holds, unseen, lacks}, verdict.Error},
		"all that apply here": {[]Claim{holds, elsewhere, elsewhere}, verdict.Pass},
		"none applies":        {[]Claim{elsewhere}, verdict.Unsupported},
	} {
		outcomes := Suite{Name: "x", Prefix: "XX", Floor: 2, Claims: tc.claims}.Judge(ev, nil)
		if o := outcomes[len(outcomes)-1]; o.Claim != "XX-000" || o.Status != tc.want || o.Level != verdict.Must {
			t.Errorf("%s: %+v, want %s", name, o, tc.want)
		}
	}
}
