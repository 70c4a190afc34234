package diagnose

import "github.com/mapstack/conformance/harness/diagnose/census"

// Certainty says how sure a cause is.
type Certainty string

// Certainties, in the order in which causes are listed.
const (
	// Is: this refused the call.
	Is Certainty = "is"
	// Next: this is used up as well, and would refuse if the first one did not.
	Next Certainty = "next"
	// MayBe: this can refuse such a call. What was read does not show whether it
	// did.
	MayBe Certainty = "may be"
)

// Cause is one limit, filter or state that refuses a call.
type Cause struct {
	// ID is a name from a fixed list, for programs that read a report.
	ID        string        `json:"id"`
	Certainty Certainty     `json:"certainty"`
	Limit     census.Amount `json:"limit"`
	// Used is how much counts against the limit, as far as it can be seen.
	Used  census.Amount `json:"used"`
	Where string        `json:"where,omitempty"` // a file, sysctl or resource limit
	Why   Text          `json:"why"`
	Raise []Remedy      `json:"raise,omitempty"`
}
