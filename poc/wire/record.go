package wire

// Protocol is the version of the records and frames below. Host and agent refuse to
// work together if it differs.
const Protocol = 2

// Kind tells which field of a Record is set.
type Kind string

const (
	KindHello       Kind = "hello"       // the agent is ready; first record of a boot
	KindObservation Kind = "observation" // one step of stage 0; probes report in chunks
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
	Refused     string       `json:"refused,omitempty"` // with KindRefused: the reason
}

// Hello describes the agent. It is sent when the console is usable.
type Hello struct {
	Protocol int      `json:"protocol"`
	Arch     string   `json:"arch"` // GOARCH that the agent was compiled for
	Go       string   `json:"go"`   // runtime.Version of the guest toolchain
	Release  string   `json:"release"`
	Probes   []string `json:"probes"` // sorted names that Request.Probe may have
	// Notes lists preparations of the guest that failed, such as a mount that this
	// kernel does not support.
	Notes []string `json:"notes,omitempty"`
}

// Observation is one step's outcome: the call, its arguments and its result. It
// never judges them.
type Observation struct {
	// Step is the name of the step, unique within one probe run.
	Step string `json:"step"`
	// Call is the call as a person would write it, with the raw numbers.
	Call string `json:"call,omitempty"`
	// Ret is the returned value in hexadecimal. It is empty if Errno is set or
	// nothing was called.
	Ret string `json:"ret,omitempty"`
	// Errno is the error number exactly as the kernel returned it, 0 for none.
	Errno int `json:"errno,omitempty"`
	// Error is the name of Errno on the probe's architecture.
	Error string `json:"error,omitempty"`
	// Values holds what was observed, by name.
	Values map[string]string `json:"values,omitempty"`
	// Unknown holds the names that could not be determined, with the reason. A name
	// is in Values, in Unknown, or absent: these are three different answers.
	Unknown map[string]string `json:"unknown,omitempty"`
}

// Exit describes the end of a probe process.
type Exit struct {
	Code     int    `json:"code"`               // exit status, -1 when killed by a signal
	Signal   string `json:"signal,omitempty"`   // name of the signal that killed it
	TimedOut bool   `json:"timedOut,omitempty"` // the agent killed it after Request.TimeoutMS
	Stderr   string `json:"stderr,omitempty"`   // its beginning and end, at most StderrLimit bytes
	// Cut reports that more was printed, which was longer than MaxOutput or came from a
	// process that outlived the probe.
	Cut bool `json:"cut,omitempty"`
	// Left says what the probe left behind in a guest of ours: sysctls that it changed,
	// processes, files. After such a run no other probe may use the guest.
	Left []string `json:"left,omitempty"`
	// Dropped counts lines of stdout that were no observations, too long, or cut.
	Dropped int `json:"dropped,omitempty"`
	// Stuck says what a child of a probe did that was killed after its time: the state of its
	// threads, and the call or the place in the kernel where they waited.
	Stuck string `json:"stuck,omitempty"`
}

// StderrLimit bounds Exit.Stderr, in bytes. It fits in a frame even if JSON escapes
// every byte.
const StderrLimit = 2 << 10

// Clean reports whether the probe ran to its end.
func (e Exit) Clean() bool { return e.Code == 0 && e.Signal == "" && !e.TimedOut }

// Op is the kind of a Request.
type Op string

const (
	// OpHello asks for the hello. Both sides then count frames and runs from their
	// beginning again.
	OpHello Op = "hello"
	// OpRun asks to run Probe with Args. If Run runs or has run already, it asks for the
	// frames from sequence number From on again.
	OpRun Op = "run"
)

// Request is one message from the host.
type Request struct {
	Op        Op       `json:"op"`
	Run       int      `json:"run,omitempty"` // the host's number for this run, from 1
	Probe     string   `json:"probe,omitempty"`
	Args      []string `json:"args,omitempty"`
	TimeoutMS int      `json:"timeoutMs,omitempty"`
	// Stretch is how many times as long the probe may wait as on an idle host; 0 means once.
	Stretch int    `json:"stretch,omitempty"`
	From    uint32 `json:"from,omitempty"`
}

// Transcript holds all observations of one probe run, and how the run ended.
type Transcript struct {
	Probe string   `json:"probe"`
	Args  []string `json:"args,omitempty"`
	// Defect is the defect model that was injected while the probe ran, empty for
	// none. With a defect, the observations show nothing about the kernel.
	Defect       string        `json:"defect,omitempty"`
	Observations []Observation `json:"observations"`
	Exit         Exit          `json:"exit"`
}
