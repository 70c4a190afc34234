package census

import (
	"fmt"
	"strings"
)

// Thread is the thread that made the call.
type Thread struct {
	PID  int    `json:"pid"`
	TID  int    `json:"tid"`
	Name string `json:"name"`
	// State is the letter of /proc/PID/status, such as R, S, T for stopped by a
	// signal, or Z for ended and not waited for.
	State string `json:"threadState,omitempty"`
	// Capabilities are the effective ones, in the thread's own user namespace.
	Capabilities uint64 `json:"capabilities"`
	// Threads is how many threads its process has.
	Threads Amount `json:"threads"`
}

func (r reader) thread(s status) Thread {
	state, _ := s.word("State")
	return Thread{PID: r.pid, TID: r.tid, Name: s.lines["Name"], State: state, Capabilities: r.capabilities(s), Threads: r.inStatus(s, "Threads", "threads")}
}

// Deadline is SCHED_DEADLINE (include/uapi/linux/sched.h).
const Deadline = 6

// policy reads the 41st field of /proc/PID/task/TID/stat. The name, the second
// field, may hold any bytes but ends at the last parenthesis.
func (r reader) policy() Amount {
	line, err := first(r.root, r.inThread("stat"))
	var policy Amount
	if err == nil {
		f := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
		const at = 41 - 3
		if len(f) <= at {
			err = fmt.Errorf("it has %d fields behind the name", len(f))
		} else {
			policy, err = amount(f[at])
		}
	}
	r.note("policy", err)
	return policy
}
