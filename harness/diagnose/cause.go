package diagnose

import (
	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/filter"
)

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

// Remedy is a command, or a line of a file, that takes a cause away.
type Remedy struct {
	Command string `json:"command"`
	When    Text   `json:"when"`
	running bool   // it is for a program that still runs
}

// Failure is what was refused.
type Failure struct {
	Call string `json:"call"` // clone, clone3 or mmap
	Want Want   `json:"want"`
	// Flags are CLONE_* or MAP_*; 0 when the call was not seen.
	Flags  uint64 `json:"flags,omitempty"`
	Length uint64 `json:"length,omitempty"` // of a mapping, bytes
	// Errno is the architecture's number; 0 when it is not known.
	Errno int    `json:"errno"`
	Name  string `json:"errnoName"`
	// Attempts is how often the call failed so, one after another; 0 when the call
	// was not seen and only the program's own words tell of it.
	Attempts int `json:"attempts"`
	PID      int `json:"pid"`
	TID      int `json:"tid"`
	// Recovered: a later call succeeded.
	Recovered bool `json:"recovered"`
}

// Want is what a call was for.
type Want string

// What calls are for.
const (
	Thread  Want = "thread"
	Process Want = "process"
	Memory  Want = "memory"
)

// Evidence is all that one judgement rests on.
type Evidence struct {
	Failure Failure
	State   census.Census // when the call had failed
	Before  census.Census // when the program began, or was attached to
	Filters Filters
	// MapStack is the architecture's MAP_STACK.
	MapStack uint64
}

// Filters is what the thread's seccomp filters answer to the call.
type Filters struct {
	// Read: the filters were read and run; otherwise Problem says why not.
	Read    bool
	Answer  filter.Answer
	Problem string
}
