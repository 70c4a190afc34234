package diagnose

import (
	"strings"

	"github.com/mapstack/conformance/harness/diagnose/census"
)

// kernelMemory judges ENOMEM of clone: the kernel has no memory for the task itself.
// clone does not look at the new thread's stack.
func kernelMemory(e Evidence) []Cause {
	s := e.State
	if e.Failure.Flags&shareMemory == 0 && e.Failure.Want == Process {
		if c, ok := overcommit(e); ok {
			c.Certainty = Is
			return []Cause{c}
		}
	}
	if s.PID == 0 {
		return unseen(e)
	}
	for _, g := range s.Groups.Memory {
		for _, was := range e.Before.Groups.Memory {
			if was.Path == g.Path && g.Max.State == census.Exact && more(g.Hits, was.Hits) {
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
	return Cause{ID: "cgroup-memory", Certainty: how, Limit: g.Max, Used: g.Current, Where: g.MaxFile(),
		Why: say("the control group %[1]s may have %[2]s bytes of memory, and has reached that limit",
			"控制组 %[1]s 最多允许 %[2]s 字节内存，已达到该限制", g.Path, g.Max).and(runtimeSets(s, g.Path)),
		Raise: raiseMemory(s, g)}
}

// highest reports whether a memory group is the highest that a container shows, which its
// runtime made.
func highest(s census.Census, group string) bool {
	top := len(s.Groups.Memory) - 1
	return s.Groups.Hidden && top >= 0 && s.Groups.Memory[top].Path == group
}

// raiseMemory raises the limit of a group where it is set.
func raiseMemory(s census.Census, g census.MemoryGroup) []Remedy {
	n := double(g.Max.N)
	switch unit, id := unitOf(g.Path), containerOf(g.Path); {
	case id != "" && (s.Container == "docker" || s.Container == "podman"):
		return []Remedy{run(now(), "%s update --memory %d --memory-swap %d %s", s.Container, n, n, id)}
	case (s.Container == "docker" || s.Container == "podman") && highest(s, g.Path):
		return []Remedy{run(say("outside of the container", "在容器之外"), "%s update --memory %d --memory-swap %d CONTAINER", s.Container, n, n)}
	case s.Container == "kubernetes" && (highest(s, g.Path) || strings.Contains(g.Path, "kubepods")):
		return []Remedy{run(say("in the container's resources", "在容器的 resources 中"), "limits: {memory: %d}", n)}
	case s.Container == "lxc" && (highest(s, g.Path) || lxcOf(g.Path) != ""):
		return []Remedy{run(say("outside of the container, in its configuration", "在容器之外，写入其配置"), "lxc.cgroup2.memory.max = %d", n)}
	case unit != "":
		return []Remedy{onGroup(s, unit, run(now(), "systemctl%s set-property %s MemoryMax=%d", manager(s), unitWord(unit), n))}
	}
	return []Remedy{onGroup(s, g.Path, run(now(), "echo %d > %s", n, g.MaxFile()))}
}
