package census

import (
	"strconv"
	"strings"
)

// User is the real user of the thread. RLIMIT_NPROC counts tasks by it.
type User struct {
	ID        uint32 `json:"user"`
	Processes Limit  `json:"rlimitNproc"`
	// Tasks is how many tasks of the user can be seen from here. There may be
	// more: in other PID namespaces, or hidden by hidepid.
	Tasks Amount `json:"userTasks"`
	// Exempt says why RLIMIT_NPROC does not hold for the thread: "root",
	// "CAP_SYS_RESOURCE" or "CAP_SYS_ADMIN". It is "" when the limit holds.
	Exempt string `json:"exempt,omitempty"`
}

// user reads everything but Tasks, which needs a walk of /proc.
func (r reader) user(s status, initialUsers bool) User {
	return User{
		ID:        s.user,
		Processes: r.limit("Max processes", "rlimitNproc"),
		Exempt:    r.exemption(s, initialUsers),
	}
}

// Capabilities, as bits of Thread.Capabilities (include/uapi/linux/capability.h).
const (
	SysPtrace   = 19
	SysAdmin    = 21
	SysResource = 24
)

// exemption follows copy_process in kernel/fork.c: RLIMIT_NPROC never holds for
// the machine's own root, nor for a thread with one of two capabilities over
// the whole machine.
func (r reader) exemption(s status, initialUsers bool) string {
	caps := r.capabilities(s)
	switch {
	case s.user == 0 && (initialUsers || r.rootIsRoot()):
		return "root"
	case !initialUsers:
		return ""
	case caps>>SysResource&1 == 1:
		return "CAP_SYS_RESOURCE"
	case caps>>SysAdmin&1 == 1:
		return "CAP_SYS_ADMIN"
	}
	return ""
}

func (r reader) capabilities(s status) uint64 {
	text, there := s.word("CapEff")
	if !there {
		return 0
	}
	caps, err := strconv.ParseUint(text, 16, 64)
	r.note("exempt", err)
	return caps
}

// rootIsRoot reports whether user 0 of the program's user namespace is user 0 of
// the machine. Otherwise it is an ordinary user outside of the namespace.
func (r reader) rootIsRoot() bool {
	line, err := first(r.root, r.inProcess("uid_map"))
	f := strings.Fields(line)
	return err == nil && len(f) == 3 && f[0] == "0" && f[1] == "0"
}
