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

// Outcome is the result of one claim on one cell, with what it was decided by.
type Outcome struct {
	Cell   string `json:"cell"`
	Suite  string `json:"suite"`
	Claim  string `json:"claim"`
	Level  Level  `json:"level"`
	Status Status `json:"status"`
	// Probe is the probe whose observations decide the claim. It is empty for the claim that
	// enough others were decided.
	Probe string `json:"probe,omitempty"`
	// Feature names what the system lacks, or may lack, so that the claim was not
	// decided; "" for every other reason.
	Feature string `json:"feature,omitempty"`
	// Reason explains every status except pass: what an expectation that does not hold is
	// about, or why nothing was decided. It has one line or more.
	Reason string `json:"reason,omitempty"`
	// Expected and Observed are what one expectation asked for and what was there, each on one
	// line. It is the expectation that does not hold. If all hold, it is the last one.
	Expected string `json:"expected,omitempty"`
	Observed string `json:"observed,omitempty"`
	// Expectations is how many expectations were compared with what the probe saw.
	Expectations int `json:"expectations,omitempty"`
	// Where says where the evidence shows it.
	Where Where `json:"where,omitzero"`
	// Deviation is the record that accepts the failure of the claim here. The status stays
	// fail, and the verdict leaves it out.
	Deviation Deviation `json:"deviation,omitzero"`
	// Known is the record that expects the claim to fail here. It is there if the claim
	// failed, and if the claim holds and the record is stale.
	Known Known `json:"known,omitzero"`
}

// Where is a place in the evidence of a run.
type Where struct {
	Path string `json:"path"`           // of the transcript, in the folder of the run
	Step string `json:"step,omitempty"` // the step that Expected and Observed are about
	// Read lists all steps that were read, in the order in which they first were.
	Read []string `json:"read,omitempty"`
}

// Deviation is the record of a claim that is known not to hold on a cell, and is accepted.
type Deviation struct {
	Reason string `json:"reason"`
	Source string `json:"source"`          // where the reason can be checked
	Until  string `json:"until,omitempty"` // the last day on which a certificate accepts it
}

// StaleDeviation begins the reason of a claim that holds although a record says that it does not.
const StaleDeviation = "stale deviation: "

// Accepted reports whether the claim fails and a recorded deviation accepts that.
func (o Outcome) Accepted() bool { return o.Status == Fail && o.Deviation != Deviation{} }

// Harmless reports whether the outcome changes no verdict although the claim was not decided
// or does not hold: a SHOULD or MAY that failed or ended in an error, or a failure that a
// deviation accepts.
func (o Outcome) Harmless() bool {
	return o.Accepted() || (o.Level == Should || o.Level == May) && o.Status != NotRun
}

// Text returns the reason with what was expected and observed, each on a line of its own.
// It is "" for a pass.
func (o Outcome) Text() string {
	if o.Status != Fail || o.Expected == "" {
		return o.Reason
	}
	return o.Reason + "\nexpected: " + o.Expected + "\nobserved: " + o.Observed
}
