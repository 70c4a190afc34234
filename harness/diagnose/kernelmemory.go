package diagnose

import "github.com/mapstack/conformance/harness/diagnose/census"

// kernelMemory judges ENOMEM of clone: the kernel has no memory for the task itself.
// clone does not look at the new thread's stack.
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
		Why: say("the kernel has no memory for the task itself (about 16 KiB that cannot be swapped out); the machine has %[1]s bytes available. The size of the thread's own stack does not matter",
			"内核没有内存用于任务本身（约 16 KiB，不可换出）；整机可用内存 %[1]s 字节。这与线程自身栈的大小无关", s.Memory.Available),
		Raise: []Remedy{run(say("to see what takes it", "查看内存去向"), "slabtop -o -s c | head")}}}
}

// memoryGroup makes the cause of a control group that reached its limit of memory.
func memoryGroup(s census.Census, g census.MemoryGroup, how Certainty) Cause {
	raise := []Remedy{run(now(), "echo %d > %s", double(g.Max.N), g.MaxFile())}
	if unit := unitOf(g.Path); unit != "" {
		raise = []Remedy{run(now(), "systemctl set-property %s MemoryMax=%d", unit, double(g.Max.N))}
	}
	return Cause{ID: "cgroup-memory", Certainty: how, Limit: g.Max, Used: g.Current, Where: g.MaxFile(),
		Why: say("the control group %[1]s may have %[2]s bytes of memory, and has reached that limit",
			"控制组 %[1]s 最多允许 %[2]s 字节内存，已达到该限制", g.Path, g.Max).and(runtimeSets(s, g.Path)),
		Raise: raise}
}
