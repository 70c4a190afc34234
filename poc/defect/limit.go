package defect

// Indexes of prlimit64's arguments.
const (
	resource = 1
	newLimit = 2
)

// limits returns the defects of prlimit64.
func limits() []Model {
	return []Model{
		{
			Name: "limits-ignored", Calls: []string{"prlimit64"},
			English: "prlimit64 reports success and changes no limit.",
			Chinese: "prlimit64 报告成功但不改变任何限制。",
			Act: func(c *Call) {
				// The Go runtime raises RLIMIT_NOFILE itself.
				if c.Args[resource] != c.Kernel.Rlimit.NoFile {
					c.Args[newLimit] = 0
				}
			},
		},
		{
			Name: "no-limit-is-signed", Calls: []string{"prlimit64"},
			English: "prlimit64 takes 2^64-1 for 2^63-1, and does not know it for no limit.",
			Chinese: "prlimit64 把 2^64-1 当作 2^63-1，而不认为它表示没有限制。",
			Act: func(c *Call) {
				if at := c.Args[newLimit]; at != 0 && c.Word(at) == ^uint64(0) {
					c.Store(at, 1<<63-1)
				}
			},
		},
	}
}
