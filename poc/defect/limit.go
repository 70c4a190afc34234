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
	}
}
