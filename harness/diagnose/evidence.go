package diagnose

import (
	"time"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/filter"
	"github.com/mapstack/conformance/poc/abi"
)

// Failure is a call that was refused.
type Failure struct {
	Call string `json:"call"`          // such as clone3; see watch.Attempt
	ABI  string `json:"abi,omitempty"` // "386", "arm" or "x32", if it is not this machine's
	Want Want   `json:"want"`
	// Flags are those of the call; see watch.Attempt. They are 0 when the call was not
	// seen, or when they could not be read.
	Flags uint64 `json:"flags,omitempty"`
	// Length is how much memory was asked for, bytes. Reserve reports that it cannot be
	// written to, so that it counts as address space alone.
	Length  uint64 `json:"length,omitempty"`
	Reserve bool   `json:"reserve,omitempty"`
	Path    string `json:"path,omitempty"` // the program of execve
	// Errno is the number on this architecture; 0 when it is not known.
	Errno int    `json:"errno"`
	Name  string `json:"errnoName"`
	// Trapped reports that a seccomp filter turned the call into SIGSYS, and that the
	// program's own handler gave the error.
	Trapped bool `json:"trapped,omitempty"`
	// Attempts is how often in a row the call failed with this error. It is 0 when
	// only the program's own words tell of the call.
	Attempts int    `json:"attempts"`
	PID      int    `json:"pid"`
	TID      int    `json:"tid"`
	Program  string `json:"program,omitempty"` // the name of the process
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
	// Task is a thread or a process: the flags of the call cannot be read.
	Task      Want = "task"
	Memory    Want = "memory"
	Execution Want = "execution"
	Namespace Want = "namespace"
	User      Want = "user"
)

// Evidence is everything that a judgement is made from.
type Evidence struct {
	Failure Failure
	// State is that just after the call failed. Its PID is 0 when nothing could be read.
	State census.Census
	// Before is the state when the program began, or was attached to.
	Before census.Census
	// Problem says why State could not be read; nil when it was.
	Problem error
	Filters Filters
	// Map are the flags of mappings on this architecture that a judgement asks for.
	Map Flags
	// Rlimit are the numbers of resource limits, and Setters who set some of them.
	Rlimit  abi.Rlimit
	Setters []Setter
	// Kept is the RLIMIT_NPROC that the program's user namespace was made with, if
	// that was seen.
	Kept census.Amount

	at    place     // where a later success makes up for it
	first int       // its number among everything that went wrong
	order int       // the same of the last attempt
	seen  time.Time // when the call failed last
}

// Flags are MAP_* of one architecture. One that it lacks is 0.
type Flags struct{ Stack, Locked, Fixed, NoReserve uint64 }

// Filters is what the thread's seccomp filters answer to the call.
type Filters struct {
	// Read reports that the filters were read and run. Otherwise Problem says why
	// not.
	Read    bool
	Answer  filter.Answer
	Problem string
	// Inherited reports that the program has no other filters than those that it began
	// with. Installer is the process that installed one since, 0 if none did or several.
	Inherited bool
	Installer int
}
