package defect

import "github.com/mapstack/conformance/poc/abi"

// cloneVfork is CLONE_VFORK (include/uapi/linux/sched.h).
const cloneVfork = 0x4000

// inheritance returns defects in what children inherit of their parent's signal
// stack.
func inheritance() []Model {
	return []Model{
		{
			Name: "signal-stack-kept-by-threads", Calls: []string{"sigaltstack"},
			English: "A thread that has set up no alternate signal stack has one.",
			Chinese: "未设置备用信号栈的线程拥有备用信号栈。",
			Act: func(c *Call) {
				if c.Args[1] == 0 {
					return
				}
				flags := c.Args[1] + 8 // its place in struct stack_t
				if c.Kernel.SigStackSizeFirst {
					flags += 8
				}
				c.answer = func(r Result) Result {
					c.Store(flags, 0) // SS_DISABLE is not set
					return r
				}
			},
		},
		{
			Name: "signal-stack-lost-by-processes", Calls: clone,
			English: "A process made with CLONE_VFORK does not have the alternate signal stack of the thread that made it.",
			Chinese: "以 CLONE_VFORK 创建的进程没有创建它的线程的备用信号栈。",
			Act: func(c *Call) {
				// A child on its parent's own stack needs CLONE_VFORK: the parent must
				// wait.
				if c.Args[c.place(abi.CloneStack)] != 0 {
					c.Args[c.place(abi.CloneFlags)] &^= cloneVfork
				}
			},
			Unserved: needsFirst,
		},
	}
}
