package defect

// smallSignalStack is a size in bytes that is too small for a signal on every
// architecture. It is more than zero, because a probe expects that an empty stack
// is refused.
const smallSignalStack = 1 << 10

// signalStack returns the address and the size of the stack that sigaltstack gets.
func (c *Call) signalStack() (sp, size uint64) {
	at := uint64(16)
	if c.Kernel.SigStackSizeFirst {
		at = 8
	}
	return c.Word(c.Args[0]), c.Word(c.Args[0] + at)
}

// signals returns the defects of alternate signal stacks.
func signals() []Model {
	sigaltstack := []string{"sigaltstack"}
	return []Model{
		{
			Name: "signal-stack-wants-map-stack", Calls: sigaltstack, Stacks: true,
			English: "sigaltstack refuses memory that was not mapped with MAP_STACK, as OpenBSD's does.",
			Chinese: "sigaltstack 拒绝不是以 MAP_STACK 映射的内存，与 OpenBSD 相同。",
			Act: func(c *Call) {
				if sp, size := c.signalStack(); c.Args[0] != 0 && size > 0 && !c.OnStack(sp) {
					c.refuse("ENOMEM")
				}
			},
			Unserved: needsFirst,
		},
		{
			Name: "signal-stack-refuses-map-stack", Calls: sigaltstack, Stacks: true,
			English: "sigaltstack refuses memory that was mapped with MAP_STACK.",
			Chinese: "sigaltstack 拒绝以 MAP_STACK 映射的内存。",
			Act: func(c *Call) {
				if sp, _ := c.signalStack(); c.Args[0] != 0 && c.OnStack(sp) {
					c.refuse("EINVAL")
				}
			},
			Unserved: needsFirst,
		},
		{
			Name: "signal-stack-too-small", Calls: sigaltstack,
			English: "sigaltstack accepts a stack that is too small for a signal.",
			Chinese: "sigaltstack 接受小到无法处理信号的栈。",
			Act: func(c *Call) {
				if _, size := c.signalStack(); c.Args[0] != 0 && size >= smallSignalStack {
					c.replace("ENOMEM", Result{})
				}
			},
		},
		{
			Name: "signal-stack-any-flag", Calls: sigaltstack,
			English: "sigaltstack accepts flags that it does not know.",
			Chinese: "sigaltstack 接受未知的标志。",
			Act:     func(c *Call) { c.replace("EINVAL", Result{}) },
		},
	}
}
