package probe

import (
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/wire"
)

// TestTheHostSaysHowLongToWait fails if a busy host has no say in how long a probe waits, or if
// nonsense makes it wait for ever.
func TestTheHostSaysHowLongToWait(t *testing.T) {
	for said, want := range map[string]time.Duration{"": 1, "1": 1, "7": 7, "20": 20, "0": 1, "-3": 1, "1000": 1, "x": 1} {
		t.Setenv(wire.StretchVariable, said)
		if got := Patience(time.Second); got != want*time.Second {
			t.Errorf("after %q: %v, want %d s", said, got, want)
		}
	}
}
