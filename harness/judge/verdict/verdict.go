// Package verdict turns outcomes into a verdict. Pure.
package verdict

// Level is how binding a claim is.
type Level string

const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
	May    Level = "MAY"
)

// Status is what became of one claim on one cell.
type Status string

const (
	Pass        Status = "pass"
	Fail        Status = "fail"        // the kernel did otherwise
	Error       Status = "error"       // ours, or the infrastructure's; says nothing of the kernel
	Unsupported Status = "unsupported" // the claim does not apply here, known before the run
	NotRun      Status = "not-run"     // it should have run and did not
)

// Outcome is one claim on one cell.
type Outcome struct {
	Cell   string `json:"cell"`
	Suite  string `json:"suite"`
	Claim  string `json:"claim"`
	Level  Level  `json:"level"`
	Status Status `json:"status"`
	// Reason explains every status but pass: what was expected and seen, or
	// why nothing was. One or more lines.
	Reason string `json:"reason,omitempty"`
	// Deviation is the recorded reason why a disagreement was expected; the
	// status is then pass.
	Deviation string `json:"deviation,omitempty"`
}
