package claim

import (
	"testing"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/facts"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/poc/wire"
)

// TestASystemThatRunsAlreadyIsNotAccusedOfItsUsersRights fails if a kernel does not
// conform because its probes were not root's, or if root's failures are lost.
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

// TestAnEmulatorDecidesNothingByItsHost fails if a user-mode emulator is judged by the
// mappings of the host, or if a guest is not.
func TestAnEmulatorDecidesNothingByItsHost(t *testing.T) {
	tr := wire.Transcript{Probe: "p", Observations: []wire.Observation{
		{Step: "s", Values: map[string]string{"stack.vmflags": "rd wr", "first": "ok"}}}}
	reads := func(key, want string) Claim {
		return Claim{ID: "XX-001", Probe: "p", Check: func(g gomega.Gomega, t Transcript, _ facts.Facts) {
			g.Expect(t.Step("s").Value(key)).To(gomega.Equal(want))
		}}
	}
	for _, c := range []struct {
		claim Claim
		host  matrix.Host
		want  verdict.Status
	}{
		{reads("stack.vmflags", "rd wr nh"), matrix.UserMode, verdict.NotRun},
		{reads("stack.vmflags", "rd wr"), matrix.UserMode, verdict.NotRun},
		{reads("stack.vmflags", "rd wr nh"), matrix.Native, verdict.Fail},
		{reads("first", "ok"), matrix.UserMode, verdict.Pass},
		{reads("first", "fault"), matrix.UserMode, verdict.Fail},
	} {
		ev := Evidence{Cell: matrix.Cell{Arch: "amd64", Host: c.host}, Facts: &facts.Facts{}, Transcripts: map[string]wire.Transcript{"p": tr}}
		if got := Judge(c.claim, ev, nil); got.Status != c.want {
			t.Errorf("on %s: %+v, want %s", c.host, got, c.want)
		}
	}
	if tr.Observations[0].Values["stack.vmflags"] != "rd wr" {
		t.Error("the evidence was changed")
	}
}
