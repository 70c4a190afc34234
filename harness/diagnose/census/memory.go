package census

import "io/fs"

// Memory is the machine's memory, in bytes.
type Memory struct {
	Overcommit  Amount `json:"overcommit"` // vm.overcommit_memory: a mode, 0 to 2
	CommitLimit Amount `json:"commitLimit"`
	Committed   Amount `json:"committed"`
	Available   Amount `json:"available"`
	Total       Amount `json:"memTotal"`
	Swap        Amount `json:"swapTotal"`
	// AdminReserve and UserReserve are kept back in mode 2: the first from everybody
	// without CAP_SYS_ADMIN, the second at most from large programs.
	AdminReserve Amount `json:"adminReserve"`
	UserReserve  Amount `json:"userReserve"`
	// OOMKilled counts the processes that any OOM killer killed: that of the machine, or
	// that of a group. Kernels tell since 4.13.
	OOMKilled Amount `json:"oomKilled"`
}

func (r reader) memory() Memory {
	killed, err := OOMKilled(r.root)
	r.note("oomKilled", err)
	return Memory{
		Overcommit:   r.sysctl("vm/overcommit_memory", "overcommit"),
		CommitLimit:  r.meminfo("CommitLimit:", "commitLimit"),
		Committed:    r.meminfo("Committed_AS:", "committed"),
		Available:    r.meminfo("MemAvailable:", "available"),
		Total:        r.meminfo("MemTotal:", "memTotal"),
		Swap:         r.meminfo("SwapTotal:", "swapTotal"),
		AdminReserve: kib(r.sysctl("vm/admin_reserve_kbytes", "adminReserve")),
		UserReserve:  kib(r.sysctl("vm/user_reserve_kbytes", "userReserve")),
		OOMKilled:    killed,
	}
}

// OOMKilled reads how many processes any OOM killer has killed since the machine
// started.
func OOMKilled(root fs.FS) (Amount, error) { return keyed(root, "proc/vmstat", "oom_kill") }

// meminfo reads a line of /proc/meminfo, which is in KiB.
func (r reader) meminfo(line, key string) Amount {
	a, err := keyed(r.root, "proc/meminfo", line)
	r.note(key, err)
	return kib(a)
}
