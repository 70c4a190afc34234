// Package verdict turns outcomes into a verdict. It reads nothing else.
package verdict

// Level is how binding a claim is.
type Level string

const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
	May    Level = "MAY"
)

// Status is the result of one claim on one cell.
type Status string

const (
	Pass        Status = "pass"
	Fail        Status = "fail"        // the kernel did otherwise
	Error       Status = "error"       // of the tests or their infrastructure; it says nothing of the kernel
	Unsupported Status = "unsupported" // the claim does not apply here: known before the run, or shown by the system
	NotRun      Status = "not-run"     // it should have run and did not
)

// Outcome is the result of one claim on one cell, with its reason.
type Outcome struct {
	Cell   string `json:"cell"`
	Suite  string `json:"suite"`
	Claim  string `json:"claim"`
	Level  Level  `json:"level"`
	Status Status `json:"status"`
	// Feature names what the system lacks, or may lack, so that the claim was not
	// decided; "" for every other reason.
	Feature string `json:"feature,omitempty"`
	// Reason explains every status except pass: what was expected and what was seen,
	// or why nothing was seen. It has one line or more.
	Reason string `json:"reason,omitempty"`
	// Deviation is set when the claim failed as fixtures/deviations.yaml expects. It
	// has the recorded reason, and the status is pass.
	Deviation string `json:"deviation,omitempty"`
	// Known is the record that expects the claim to fail here. It is there if the claim
	// failed, and if the claim holds and the record is stale.
	Known Known `json:"known,omitzero"`
}
