package defect

// Places of prlimit64's arguments.
const (
	resource = 1
	newLimit = 2
)

// limits are defects of what prlimit64 sets.
func limits() []Model {
	return []Model{
		{
			Name: "limits-ignored", Calls: []string{"prlimit64"},
			English: "prlimit64 reports success and changes no limit.",
			Chinese: "prlimit64 报告成功但不改变任何限制。",
			Act: func(c *Call) {
				// The Go runtime raises this one for itself.
				if c.Args[resource] != c.Kernel.Rlimit.NoFile {
					c.Args[newLimit] = 0
				}
			},
		},
	}
}

// counts are defects of how limits are counted.
func counts() []Model {
	return []Model{
		{
			Name: "nproc-off-by-one", Calls: []string{"prlimit64"},
			English: "RLIMIT_NPROC lets a user have one process more than it says.",
			Chinese: "RLIMIT_NPROC 允许用户比规定多一个进程。",
			Act: func(c *Call) {
				if at := c.Args[newLimit]; at != 0 && c.Args[resource] == c.Kernel.Rlimit.NProc {
					// struct rlimit64: the soft limit, and the hard one, which the
					// soft one must not exceed.
					n := c.Word(at)
					if n+1 == 0 {
						return // no limit
					}
					c.Store(at, n+1)
					if c.Word(at+8) == n {
						c.Store(at+8, n+1)
					}
				}
			},
		},
	}
}
