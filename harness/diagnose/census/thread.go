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
	// Threads is how many threads its process has.
	Threads Amount `json:"threads"`
}

func (r reader) thread(s status) Thread {
	return Thread{PID: r.pid, TID: r.tid, Name: s.lines["Name"], Threads: r.inStatus(s, "Threads", "threads")}
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
