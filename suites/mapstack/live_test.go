package mapstack

import (
	"os"
	"slices"
	"testing"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/recorded"
)

// TestProbeSaysWhatTheClaimsAsk fails if the probe and the claims no longer agree
// on steps and values. It judges this host's kernel, which may be any kernel, so
// only an error is a defect of ours.
func TestProbeSaysWhatTheClaimsAsk(t *testing.T) {
	f, err := facts.Parse(recorded.Here(t, "facts"), nil)
	if err != nil {
		t.Fatal(err)
	}
	transcript := recorded.Here(t, probe)
	for _, c := range Suite().Claims {
		// Only root can start the child that these read.
		if os.Getuid() != 0 && slices.Contains([]string{"MS-003", "MS-004", "MS-017"}, c.ID) {
			continue
		}
		switch got := recorded.One(t, Suite(), c.ID, f, transcript); got.Status {
		case verdict.Error:
			t.Errorf("%s: %s", c.ID, got.Reason)
		case verdict.Fail:
			t.Logf("this host's kernel fails %s: %s", c.ID, got.Reason)
		}
	}
}
