package wire

// Protocol is the version of the records and frames below. Host and agent
// refuse to talk when it differs.
const Protocol = 1

// Kind says which field of a Record is set.
type Kind string

const (
	KindHello       Kind = "hello"       // the agent is up; first record of a boot
	KindObservation Kind = "observation" // one step of the running probe
	KindDone        Kind = "done"        // the probe ended; last record of a run
	KindRefused     Kind = "refused"     // the request could not be carried out
)

// Record is one message from the guest.
type Record struct {
	Kind        Kind         `json:"kind"`
	Run         int          `json:"run,omitempty"` // echoes Request.Run; 0 for hello
	Hello       *Hello       `json:"hello,omitempty"`
	Observation *Observation `json:"observation,omitempty"`
	Exit        *Exit        `json:"exit,omitempty"`    // with KindDone
	Refused     string       `json:"refused,omitempty"` // with KindRefused: why
}

// Hello is what the agent says of itself once the console is usable.
type Hello struct {
	Protocol int      `json:"protocol"`
	Arch     string   `json:"arch"` // GOARCH the agent was compiled for
	Go       string   `json:"go"`   // runtime.Version of the guest toolchain
	Release  string   `json:"release"`
	Probes   []string `json:"probes"` // sorted names that Request.Probe accepts
	// Notes are preparations of the guest that failed, such as a mount that
	// this kernel does not have.
	Notes []string `json:"notes,omitempty"`
}

// Observation is one step's outcome: what was called, with what, what came
// back. It never says whether that is right.
type Observation struct {
	// Step is the name of the step, unique within one probe run.
	Step string `json:"step"`
	// Call is the call as a person would write it, with the raw numbers.
	Call string `json:"call,omitempty"`
	// Ret is the returned value in hexadecimal, empty when Errno is set or
	// nothing was called.
	Ret string `json:"ret,omitempty"`
	// Errno is the error number exactly as the kernel returned it, 0 for none.
	Errno int `json:"errno,omitempty"`
	// Error is the name of Errno on the probe's architecture.
	Error string `json:"error,omitempty"`
	// Values are what was seen afterwards, by name.
	Values map[string]string `json:"values,omitempty"`
	// Unknown holds the names that could not be determined, with the reason.
	// A name is in Values, in Unknown, or absent: three different answers.
	Unknown map[string]string `json:"unknown,omitempty"`
}

// Exit is how a probe process ended.
type Exit struct {
	Code     int    `json:"code"`               // exit status, -1 when killed by a signal
	Signal   string `json:"signal,omitempty"`   // name of the signal that killed it
	TimedOut bool   `json:"timedOut,omitempty"` // the agent killed it after Request.TimeoutMS
	Stderr   string `json:"stderr,omitempty"`   // its beginning and end, StderrLimit bytes at most
	// Dropped counts stdout lines that were no observations, too long, or could
	// not be read.
	Dropped int `json:"dropped,omitempty"`
}

// StderrLimit bounds Exit.Stderr, in bytes: small enough that a frame holds it
// even when JSON escapes every byte.
const StderrLimit = 2 << 10

// Clean reports whether the probe ran to its end.
func (e Exit) Clean() bool { return e.Code == 0 && e.Signal == "" && !e.TimedOut }

// Op is what a Request asks for.
type Op string

const (
	OpRun    Op = "run"    // run Probe with Args
	OpResend Op = "resend" // send every record from sequence From again
)

// Request is one message from the host.
type Request struct {
	Op        Op       `json:"op"`
	Run       int      `json:"run,omitempty"` // the host's number for this run, from 1
	Probe     string   `json:"probe,omitempty"`
	Args      []string `json:"args,omitempty"`
	TimeoutMS int      `json:"timeoutMs,omitempty"`
	From      uint32   `json:"from,omitempty"`
}

// Transcript is all observations of one probe run, with how it ended.
type Transcript struct {
	Probe string   `json:"probe"`
	Args  []string `json:"args,omitempty"`
	// Defect is the defect model that was injected while the probe ran, empty
	// for none. With one, what was observed says nothing of the kernel.
	Defect       string        `json:"defect,omitempty"`
	Observations []Observation `json:"observations"`
	Exit         Exit          `json:"exit"`
}
