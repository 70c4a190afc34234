package diagnose

import "github.com/mapstack/conformance/harness/diagnose/census"

// memory judges a mapping that was refused.
func memory(e Evidence) []Cause {
	f, s := e.Failure, e.State
	switch f.Name {
	case "ENOMEM", "":
	case "EAGAIN":
		return []Cause{{ID: "memlock", Certainty: MayBe, Where: "RLIMIT_MEMLOCK",
			Why: say("the program has called mlockall(MCL_FUTURE), and RLIMIT_MEMLOCK does not let it lock more memory",
				"程序调用过 mlockall(MCL_FUTURE)，而 RLIMIT_MEMLOCK 不允许锁定更多内存"),
			Raise: []Remedy{running("prlimit --pid %d --memlock=unlimited", s.PID), run(before(), "ulimit -l unlimited")}}}
	default:
		return refusedMapping(e)
	}
	var full []Cause
	more := func(used census.Amount) census.Amount {
		used.N += f.Length
		return used
	}
	over := func(used, limit census.Amount) bool {
		return more(used).AtLeast(limit) && more(used).N > limit.N
	}
	if over(s.Space.Size, s.Space.Limit.Soft) {
		full = append(full, Cause{ID: "rlimit-as", Limit: s.Space.Limit.Soft, Used: s.Space.Size, Where: "RLIMIT_AS",
			Why: say("RLIMIT_AS lets the program have %[1]s bytes of addresses, and it has %[2]s of them; Go reserves far more addresses than it uses memory",
				"RLIMIT_AS 只允许程序使用 %[1]s 字节的地址空间，现已使用 %[2]s 字节；Go 预留的地址远多于实际使用的内存", s.Space.Limit.Soft, s.Space.Size),
			Raise: []Remedy{running("prlimit --pid %d --as=unlimited", s.PID), run(before(), "ulimit -v unlimited")}})
	}
	if s.Space.Mappings.AtLeast(s.Space.MaxMappings) {
		full = append(full, Cause{ID: "max-map-count", Limit: s.Space.MaxMappings, Used: s.Space.Mappings, Where: "/proc/sys/vm/max_map_count",
			Why: say("the program may have %[1]s mappings (vm.max_map_count) and has %[2]s",
				"每个程序最多允许 %[1]s 个映射（vm.max_map_count），现有 %[2]s 个", s.Space.MaxMappings, s.Space.Mappings),
			Raise: []Remedy{sysctl("vm.max_map_count", double(s.Space.Mappings.N))}})
	}
	if over(s.Space.Data, s.Space.DataLimit.Soft) {
		full = append(full, Cause{ID: "rlimit-data", Limit: s.Space.DataLimit.Soft, Used: s.Space.Data, Where: "RLIMIT_DATA",
			Why: say("RLIMIT_DATA lets the program have %[1]s bytes of private writable memory, and it has %[2]s",
				"RLIMIT_DATA 只允许程序拥有 %[1]s 字节的私有可写内存，现有 %[2]s 字节", s.Space.DataLimit.Soft, s.Space.Data),
			Raise: []Remedy{running("prlimit --pid %d --data=unlimited", s.PID), run(before(), "ulimit -d unlimited")}})
	}
	if s.Memory.Overcommit == census.Known(2) && over(s.Memory.Committed, s.Memory.CommitLimit) {
		full = append(full, Cause{ID: "overcommit", Limit: s.Memory.CommitLimit, Used: s.Memory.Committed, Where: "/proc/sys/vm/overcommit_memory",
			Why: say("vm.overcommit_memory is 2: the machine promises no more than %[1]s bytes, and has promised %[2]s",
				"vm.overcommit_memory 为 2：整机最多承诺 %[1]s 字节内存，已承诺 %[2]s 字节", s.Memory.CommitLimit, s.Memory.Committed),
			Raise: []Remedy{sysctl("vm.overcommit_memory", 0), sysctl("vm.overcommit_ratio", 100)}})
	}
	for i := range full {
		full[i].Certainty = Next
	}
	if len(full) > 0 {
		full[0].Certainty = Is
		return full
	}
	return []Cause{{ID: "memory", Certainty: MayBe, Used: s.Memory.Available,
		Why: say("no limit of the program is reached; the machine has %[1]s bytes available, and refuses %[2]d at once (vm.overcommit_memory is %[3]s)",
			"程序的各项限制均未达到；整机可用内存 %[1]s 字节，拒绝一次性分配 %[2]d 字节（vm.overcommit_memory 为 %[3]s）",
			s.Memory.Available, f.Length, s.Memory.Overcommit)}}
}

// refusedMapping is an error that mmap gives to no anonymous mapping of a sound
// kernel.
func refusedMapping(e Evidence) []Cause {
	f := e.Failure
	if e.MapStack != 0 && f.Flags&e.MapStack != 0 {
		return []Cause{{ID: "map-stack", Certainty: MayBe, Where: "MAP_STACK",
			Why: say("a mapping with MAP_STACK, such as a C library makes for each thread, was refused with %[1]s; Linux never does that, so a filter, a security module or a defective kernel did",
				"带 MAP_STACK 的映射（C 库为每个线程创建）以 %[1]s 被拒绝；Linux 从不这样做，因此是过滤器、安全模块或有缺陷的内核所为", f.Name),
			Raise: []Remedy{run(say("to see whether this kernel does", "查看该内核是否如此"), "make conformance FOCUS=mapstack")}}}
	}
	return []Cause{{ID: "security-module", Certainty: MayBe, Where: "/sys/kernel/security/lsm",
		Why: say("no limit gives %[1]s to a mapping: a filter or a security module refuses it",
			"没有限制会对映射返回 %[1]s：由过滤器或安全模块拒绝", f.Name)}}
}

// kernelMemory is clone's ENOMEM: the kernel has no memory for the task itself.
// The new thread's own stack is not looked at.
func kernelMemory(e Evidence) []Cause {
	s := e.State
	for _, g := range s.Groups.Memory {
		for _, was := range e.Before.Groups.Memory {
			if was.Path == g.Path && g.Max.State == census.Exact && g.Hits.AtLeast(census.Known(was.Hits.N+1)) && was.Hits.State == census.Exact {
				return []Cause{memoryGroup(s, g, MayBe)}
			}
		}
	}
	return []Cause{{ID: "kernel-memory", Certainty: MayBe, Used: s.Memory.Available,
		Why: say("the kernel has no memory for the task itself, 16 KiB or so that cannot be swapped; %[1]s bytes of the machine are available. The size of the thread's own stack does not matter",
			"内核没有内存用于任务本身（约 16 KiB，不可换出）；整机可用内存 %[1]s 字节。与线程自身栈的大小无关", s.Memory.Available),
		Raise: []Remedy{run(say("to see what takes it", "查看内存去向"), "slabtop -o -s c | head")}}}
}

func memoryGroup(s census.Census, g census.MemoryGroup, how Certainty) Cause {
	raise := []Remedy{run(now(), "echo %d > %s", double(g.Max.N), g.MaxFile())}
	if unit := unitOf(g.Path); unit != "" {
		raise = []Remedy{run(now(), "systemctl set-property %s MemoryMax=%d", unit, double(g.Max.N))}
	}
	return Cause{ID: "cgroup-memory", Certainty: how, Limit: g.Max, Used: g.Current, Where: g.MaxFile(),
		Why: say("the control group %[1]s may have %[2]s bytes of memory, and reached that",
			"控制组 %[1]s 最多允许 %[2]s 字节内存，已达到该限制", g.Path, g.Max).and(runtimeSets(s, g.Path)),
		Raise: raise}
}
