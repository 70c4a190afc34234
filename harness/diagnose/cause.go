package diagnose

import "github.com/mapstack/conformance/harness/diagnose/census"

// Certainty says how a cause is known.
type Certainty string

// Certainties, in the order of causes.
const (
	// Is: it refused the call.
	Is Certainty = "is"
	// Next: it is used up as well, and would refuse if the first did not.
	Next Certainty = "next"
	// MayBe: it can refuse such a call, and what was read neither shows nor
	// excludes that it did.
	MayBe Certainty = "may be"
)

// Cause is one thing that refuses.
type Cause struct {
	// ID is one of a fixed list, for programs that read a report.
	ID        string        `json:"id"`
	Certainty Certainty     `json:"certainty"`
	Limit     census.Amount `json:"limit"`
	// Used is how much counts against the limit, as far as it can be seen.
	Used  census.Amount `json:"used"`
	Where string        `json:"where,omitempty"` // a file, sysctl or resource limit
	Why   Text          `json:"why"`
	Raise []Remedy      `json:"raise,omitempty"`
}
