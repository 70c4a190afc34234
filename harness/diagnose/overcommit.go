package diagnose

import "github.com/mapstack/conformance/harness/diagnose/census"

// overcommit judges vm.overcommit_memory=2 (__vm_enough_memory in mm/util.c). A fork
// charges the whole copy of the program at once.
func overcommit(e Evidence) (Cause, bool) {
	s, m := e.State, e.State.Memory
	want := charged(e)
	limit := m.CommitLimit
	limit.N -= min(limit.N, kept(s))
	why := say("vm.overcommit_memory is 2: the machine promises no more than %[1]s bytes, and has promised %[2]s",
		"vm.overcommit_memory 为 2：整机最多承诺 %[1]s 字节内存，已承诺 %[2]s 字节", m.CommitLimit, m.Committed)
	switch {
	case want == 0:
	case e.Failure.Want == Memory:
		why = why.and(needed(e, m.Committed, limit))
	default:
		why = why.and(say("; a new process counts with a copy of all its private memory, here %[1]d bytes", "；新进程按其全部私有内存的副本计算，此处为 %[1]d 字节", want))
	}
	if kept(s) > 0 {
		why = why.and(say("; %[1]d more are kept back (vm.admin_reserve_kbytes, vm.user_reserve_kbytes)", "；另有 %[1]d 字节保留（vm.admin_reserve_kbytes、vm.user_reserve_kbytes）", kept(s)))
	}
	return Cause{ID: "overcommit", Limit: m.CommitLimit, Used: m.Committed, Where: "/proc/sys/vm/overcommit_memory", Why: why,
		Raise: []Remedy{sysctl("vm.overcommit_memory", 0), sysctl("vm.overcommit_ratio", 100)},
	}, m.Overcommit == census.Known(2) && !e.Failure.Reserve && over(m.Committed, want, limit)
}

// charged returns how many bytes a call asks the machine to promise.
func charged(e Evidence) uint64 {
	if e.Failure.Want == Memory {
		return e.Failure.Length
	}
	return e.State.Space.Data.N
}

// kept returns how many bytes the kernel keeps back from the program.
func kept(s census.Census) uint64 {
	const part = 32 // of its own size, for the user's other programs
	n := min(s.Space.Size.N/part, s.Memory.UserReserve.N)
	if s.Capabilities>>census.SysAdmin&1 == 0 {
		n += s.Memory.AdminReserve.N
	}
	return n
}

// tooLarge judges the other modes: 0 refuses what is larger than memory and swap
// together. No mode has more addresses than the processor.
func tooLarge(e Evidence) (Cause, bool) {
	m, length := e.State.Memory, e.Failure.Length
	all := m.Total.N + m.Swap.N
	uncounted := e.Failure.Reserve || e.Failure.Call == "mmap" && e.Failure.Flags&e.Map.NoReserve != 0
	if m.Overcommit == census.Known(0) && m.Total.State == census.Exact && !uncounted && length > all {
		return Cause{ID: "overcommit-heuristic", Limit: census.Known(all), Where: "/proc/sys/vm/overcommit_memory",
			Why: say("the call asked for %[1]d bytes at once, and memory and swap of the machine are %[2]d together (vm.overcommit_memory is 0)",
				"该调用一次请求 %[1]d 字节，而整机内存与交换空间共 %[2]d 字节（vm.overcommit_memory 为 0）", length, all),
			Raise: []Remedy{sysctl("vm.overcommit_memory", 1)}}, true
	}
	const addresses = 1 << 46 // half of what programs have on amd64
	return Cause{ID: "address-space", Where: "mmap",
		Why:   say("the call asked for %[1]d bytes at once, and no part of the program's address space is that large", "该调用一次请求 %[1]d 字节，程序的地址空间没有这么大的空闲部分", length),
		Raise: []Remedy{run(say("to see what asked for it", "查看是谁请求的"), "strace -k -e trace=memory PROGRAM")}}, length >= addresses
}
