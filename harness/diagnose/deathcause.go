package diagnose

import "syscall"

// cause says what ended a thread or a process.
func (d *Death) cause() Cause {
	switch {
	case d.Signal == int(syscall.SIGSYS):
		return d.filtered()
	case d.group != nil && d.group.Path == "":
		return Cause{ID: "cgroup-memory", Certainty: Is, Where: "dmesg",
			Why:   say("the kernel's log says that process %[1]d was ended for the limit of its memory group, which cannot be found from here", "内核日志表明进程 %[1]d 因其内存控制组的限制而被终止；从这里找不到该控制组", d.PID),
			Raise: []Remedy{run(say("to see the lines", "查看相关记录"), "dmesg | grep -i -A 40 oom-kill")}}
	case d.group != nil:
		c := memoryGroup(d.state, *d.group, MayBe)
		if d.sure {
			c.Certainty = Is
		}
		c.Why = c.Why.and(say("; the kernel ended process %[1]d for it", "；内核因此终止了进程 %[1]d", d.PID))
		return c
	}
	m := d.state.Memory
	c := Cause{ID: "oom", Certainty: MayBe, Limit: m.Total, Used: m.Available, Where: "/proc/vmstat oom_kill",
		Why: say("the machine has run out of memory (%[1]s bytes and %[2]s of swap), and its OOM killer has ended a process",
			"整机内存耗尽（内存 %[1]s 字节，交换空间 %[2]s 字节），OOM killer 终止了一个进程", m.Total, m.Swap),
		Raise: []Remedy{
			run(say("to see which process, and what took the memory", "查看是哪个进程以及内存去向"), "dmesg | grep -i -A 40 oom-kill"),
			run(say("so that another process is chosen, as root", "让内核选择其他进程，需要 root"), "choom -n -500 -- PROGRAM"),
		}}
	if d.sure {
		c.Certainty = Is
		c.Why = c.Why.and(say("; the kernel's log names process %[1]d", "；内核日志中记有进程 %[1]d", d.PID))
	}
	return c
}

// filtered says at which call a filter ended the thread, and whose filter it was.
func (d *Death) filtered() Cause {
	c := Cause{ID: "seccomp-kill", Certainty: Is, Where: "seccomp", Raise: allow(d.state, d.filters, d.Call),
		Why: say("a seccomp filter ended it with SIGSYS (bad system call)", "seccomp 过滤器以 SIGSYS（错误的系统调用）将其终止")}
	if d.Call != "" {
		c.Why = say("a seccomp filter ended it at %[1]s with SIGSYS (bad system call)", "seccomp 过滤器在 %[1]s 处以 SIGSYS（错误的系统调用）将其终止", d.Call)
	}
	c.Why = c.Why.and(whose(d.filters, d.state))
	if d.Thread {
		c.ID = "seccomp-kill-thread"
		c.Why = c.Why.and(say("; the other threads of the program go on, and may wait for this one for ever",
			"；程序的其他线程仍在运行，可能会永远等待它"))
	}
	return c
}
