package diagnose

import (
	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/filter"
)

// Failure is a call that was refused.
type Failure struct {
	Call string `json:"call"` // clone, clone3 or mmap
	Want Want   `json:"want"`
	// Flags are CLONE_* or MAP_*; 0 when the call was not seen.
	Flags  uint64 `json:"flags,omitempty"`
	Length uint64 `json:"length,omitempty"` // of a mapping, bytes
	// Errno is the number on this architecture; 0 when it is not known.
	Errno int    `json:"errno"`
	Name  string `json:"errnoName"`
	// Attempts is how often in a row the call failed with this error. It is 0 when
	// only the program's own words tell of the call.
	Attempts int `json:"attempts"`
	PID      int `json:"pid"`
	TID      int `json:"tid"`
	// Recovered reports that a later call succeeded.
	Recovered bool `json:"recovered"`
}

// name returns the name of the error, "?" when it has none.
func (f Failure) name() string {
	if f.Name == "" {
		return "?"
	}
	return f.Name
}

// Want is what a call was for.
type Want string

// What calls are for.
const (
	Thread  Want = "thread"
	Process Want = "process"
	Memory  Want = "memory"
)

// Evidence is everything that a judgement is made from.
type Evidence struct {
	Failure Failure
	State   census.Census // just after the call failed
	Before  census.Census // when the program began, or was attached to
	Filters Filters
	// MapStack is MAP_STACK of the architecture.
	MapStack uint64
}

// Filters is what the thread's seccomp filters answer to the call.
type Filters struct {
	// Read reports that the filters were read and run. Otherwise Problem says why
	// not.
	Read    bool
	Answer  filter.Answer
	Problem string
}
