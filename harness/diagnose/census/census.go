// Package census reads, from /proc and /sys, everything that can refuse a
// thread to one program, how much of it is used, and what could not be read.
// It judges nothing.
package census

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
)

// Census is the state of one program and of what it runs on at one moment.
type Census struct {
	PID     int    `json:"pid"`
	TID     int    `json:"tid"`
	Name    string `json:"name"` // of the thread
	Threads Amount `json:"threads"`

	// User is the real user of the thread: RLIMIT_NPROC counts by it.
	User      uint32 `json:"user"`
	Processes Limit  `json:"rlimitNproc"`
	// UserTasks is how many tasks of that user can be seen from here. There may
	// be more: in other PID namespaces, or hidden by hidepid.
	UserTasks Amount `json:"userTasks"`
	// Exempt is why RLIMIT_NPROC does not hold for the thread: "root",
	// "CAP_SYS_RESOURCE", "CAP_SYS_ADMIN"; "" when it holds.
	Exempt string `json:"exempt,omitempty"`

	// Pids and Memory are the control groups from the program's own upwards.
	Pids   []PidsGroup   `json:"pids,omitempty"`
	Memory []MemoryGroup `json:"memory,omitempty"`
	// Above: there are control groups above the last of Pids that a container
	// hides.
	Above bool `json:"groupsHidden,omitempty"`

	ThreadsMax Amount `json:"threadsMax"`
	// Tasks is all of the machine's, those of other containers too.
	Tasks  Amount `json:"tasks"`
	PIDMax Amount `json:"pidMax"`
	// IDs is how many of the numbers from Reserved on are taken in this PID
	// namespace.
	IDs Amount `json:"ids"`

	Space   Limit  `json:"rlimitAS"`
	SpaceIn Amount `json:"vmSize"`
	Data    Limit  `json:"rlimitData"`
	DataIn  Amount `json:"vmData"`
	// MapCount is vm.max_map_count, Maps the mappings that there are.
	MapCount Amount `json:"maxMapCount"`
	Maps     Amount `json:"maps"`
	// Overcommit is vm.overcommit_memory; the commit amounts and Available are of
	// the machine.
	Overcommit  Amount `json:"overcommit"`
	CommitLimit Amount `json:"commitLimit"`
	Committed   Amount `json:"committed"`
	Available   Amount `json:"available"`

	// Seccomp is the mode of the thread: 0 none, 1 strict, 2 filters.
	Seccomp Amount `json:"seccomp"`
	Filters Amount `json:"filters"`
	// Policy is the scheduling policy, such as Deadline.
	Policy Amount `json:"policy"`
	// ChildPIDs says that the thread's children go to another PID namespace than
	// its own, ChildTime the same of time namespaces.
	ChildPIDs bool `json:"childPidNamespace,omitempty"`
	ChildTime bool `json:"childTimeNamespace,omitempty"`

	// InitialPIDs and InitialUsers: the program is in the first namespace of the
	// machine, so that nothing is outside of what can be seen.
	InitialPIDs  bool `json:"initialPidNamespace"`
	InitialUsers bool `json:"initialUserNamespace"`
	// Container is the runtime that the program seems to be in: "docker",
	// "podman", "kubernetes", "lxc", "container", or "".
	Container string `json:"container,omitempty"`

	// Unknown says, by JSON name, why something could not be read.
	Unknown map[string]string `json:"unknown,omitempty"`
}

const (
	// Deadline is SCHED_DEADLINE (include/uapi/linux/sched.h).
	Deadline = 6
	// Reserved is RESERVED_PIDS (kernel/pid.c): once the numbers have wrapped,
	// only those from here on are given.
	Reserved = 300
)

// State says what is known of an amount.
type State int

// States of an amount.
const (
	Unread State = iota
	Exact
	Unlimited
)

// Amount is a number of things or of bytes. The zero value is one that could
// not be read.
type Amount struct {
	N     uint64
	State State
}

// Known makes an exact amount.
func Known(n uint64) Amount { return Amount{N: n, State: Exact} }

// AtLeast reports whether both amounts are exact and this is not the smaller.
func (a Amount) AtLeast(b Amount) bool {
	return a.State == Exact && b.State == Exact && a.N >= b.N
}

// String is the number, "unlimited", or "?".
func (a Amount) String() string {
	switch a.State {
	case Exact:
		return strconv.FormatUint(a.N, 10)
	case Unlimited:
		return "unlimited"
	}
	return "?"
}

// MarshalJSON writes the number, "unlimited", or null.
func (a Amount) MarshalJSON() ([]byte, error) {
	switch a.State {
	case Exact:
		return json.Marshal(a.N)
	case Unlimited:
		return []byte(`"unlimited"`), nil
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Amount) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null":
		*a = Amount{}
		return nil
	case `"unlimited"`:
		*a = Amount{State: Unlimited}
		return nil
	}
	a.State = Exact
	return json.Unmarshal(b, &a.N)
}

// Limit is a resource limit.
type Limit struct {
	Soft Amount `json:"soft"`
	Hard Amount `json:"hard"`
}

// Take reads the state of a thread of a program. Root is the machine's root
// directory. It fails only when there is no such thread; whatever else cannot
// be read is in Unknown.
func Take(root fs.FS, pid, tid int) (Census, error) {
	t := taker{root: root, c: Census{PID: pid, TID: tid, Unknown: map[string]string{}}}
	if err := t.status(); err != nil {
		return Census{}, fmt.Errorf("read the state of thread %d of process %d: %w", tid, pid, err)
	}
	t.namespaces()
	t.exemption()
	t.limits()
	t.policy()
	t.memory()
	t.sysctls()
	t.tasks()
	t.groups()
	t.container()
	return t.c, nil
}

// taker fills one census.
type taker struct {
	root fs.FS
	c    Census
	caps uint64
}

func (t *taker) unknown(key string, err error) { t.c.Unknown[key] = err.Error() }

func (t *taker) thread(file string) string {
	return fmt.Sprintf("proc/%d/task/%d/%s", t.c.PID, t.c.TID, file)
}

func (t *taker) process(file string) string { return fmt.Sprintf("proc/%d/%s", t.c.PID, file) }
