package census

// Memory is the machine's memory, in bytes.
type Memory struct {
	Overcommit  Amount `json:"overcommit"` // vm.overcommit_memory: a mode, 0 to 2
	CommitLimit Amount `json:"commitLimit"`
	Committed   Amount `json:"committed"`
	Available   Amount `json:"available"`
}

func (r reader) memory() Memory {
	return Memory{
		Overcommit:  r.sysctl("vm/overcommit_memory", "overcommit"),
		CommitLimit: r.meminfo("CommitLimit:", "commitLimit"),
		Committed:   r.meminfo("Committed_AS:", "committed"),
		Available:   r.meminfo("MemAvailable:", "available"),
	}
}

// meminfo reads a line of /proc/meminfo, which is in KiB.
func (r reader) meminfo(line, key string) Amount {
	a, err := keyed(r.root, "proc/meminfo", line)
	r.note(key, err)
	return kib(a)
}
