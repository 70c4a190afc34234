package diagnose

import (
	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/filter"
)

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
