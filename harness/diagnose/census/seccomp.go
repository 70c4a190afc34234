package census

// Seccomp is what restricts the system calls of the thread.
type Seccomp struct {
	// Mode is 0 for none, 1 for strict, 2 for filters.
	Mode Amount `json:"seccomp"`
	// Filters is how many there are. Kernels tell since 5.11.
	Filters Amount `json:"filters"`
}

func (r reader) seccomp(s status) Seccomp {
	return Seccomp{Mode: r.inStatus(s, "Seccomp", "seccomp"), Filters: r.inStatus(s, "Seccomp_filters", "filters")}
}
