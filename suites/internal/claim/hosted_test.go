package claim

import (
	"testing"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

// TestASystemThatRunsAlreadyIsNotAccusedOfItsUsersRights fails if a kernel is
// blamed because its probes did not run as root, or if failures of root are lost.
func TestASystemThatRunsAlreadyIsNotAccusedOfItsUsersRights(t *testing.T) {
	refused := Claim{ID: "XX-001", Probe: "p", Check: func(g gomega.Gomega, _ Transcript, _ facts.Facts) { g.Expect(1).To(gomega.Equal(2)) }}
	absent := Claim{ID: "XX-002", Probe: "p", Check: func(gomega.Gomega, Transcript, facts.Facts) { panic(Missing{Step: "s"}) }}
	for _, c := range []struct {
		claim Claim
		host  matrix.Host
		uid   int
		want  verdict.Status
	}{
		{refused, "", 0, verdict.Fail},
		{refused, matrix.Native, 0, verdict.Fail},
		{refused, matrix.Native, 1000, verdict.NotRun},
		{refused, "", 1000, verdict.Fail},
		{absent, "", 0, verdict.Error},
		{absent, matrix.SSH, 0, verdict.NotRun},
	} {
		ev := Evidence{Cell: matrix.Cell{Arch: "amd64", Host: c.host}, Facts: &facts.Facts{UID: c.uid},
			Transcripts: map[string]wire.Transcript{"p": {Probe: "p"}}}
		if got := Judge(c.claim, ev, nil); got.Status != c.want || got.Reason == "" {
			t.Errorf("%s on %q as %d: %+v, want %s", c.claim.ID, c.host, c.uid, got, c.want)
		}
	}
}
