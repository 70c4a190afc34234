package aftermath

import (
	"slices"

	"github.com/mapstack/conformance/harness/diagnose"
	"github.com/mapstack/conformance/harness/diagnose/census"
)

func overcommit(_ Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "overcommit", Why: say("vm.overcommit_memory is 2, and the machine had promised all the memory it may promise", "vm.overcommit_memory 为 2，且整机可承诺的内存已全部承诺"),
		Cure: say("sysctl -w vm.overcommit_memory=0, or a larger vm.overcommit_ratio", "sysctl -w vm.overcommit_memory=0，或提高 vm.overcommit_ratio")}
	if f == nil {
		return c
	}
	switch m := f.State.Memory; {
	case m.Overcommit == census.Known(2):
		c.because(say("it is 2 now, and %[1]s of %[2]s bytes are promised", "现为 2，已承诺 %[1]s / %[2]s 字节", m.Committed, m.CommitLimit))
	case m.Overcommit.State == census.Exact:
		c.although(say("it is %[1]s now", "现为 %[1]s", m.Overcommit))
	}
	return c
}

func addressSpace(_ Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "rlimit-as", Why: say("RLIMIT_AS or RLIMIT_DATA (ulimit -v, ulimit -d) left no room for a stack or for the heap", "RLIMIT_AS 或 RLIMIT_DATA（ulimit -v、ulimit -d）没有为栈或堆留下空间"),
		Cure: say("ulimit -v unlimited; ulimit -d unlimited, before the program is started", "启动程序前执行 ulimit -v unlimited; ulimit -d unlimited")}
	if f == nil {
		return c
	}
	s := f.State.Space
	for name, soft := range map[string]census.Amount{"RLIMIT_AS": s.Limit.Soft, "RLIMIT_DATA": s.DataLimit.Soft} {
		if soft.State == census.Exact {
			c.because(say("%[1]s is %[2]s bytes for programs that are started like this", "以这种方式启动的程序，%[1]s 为 %[2]s 字节", name, soft))
		}
	}
	slices.SortFunc(c.For, func(a, b diagnose.Text) int { return len(a.English) - len(b.English) })
	if s.Limit.Soft.State == census.Unlimited && s.DataLimit.Soft.State == census.Unlimited {
		c.although(say("both are unlimited for programs that are started like this", "以这种方式启动的程序没有这两项限制"))
	}
	return c
}

func stackSize(_ Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "rlimit-stack", Why: say("RLIMIT_STACK (ulimit -s) is the size of every thread's stack, and was too large", "RLIMIT_STACK（ulimit -s）即每个线程栈的大小，设得过大"),
		Cure: say("ulimit -s 8192, before the program is started", "启动程序前执行 ulimit -s 8192")}
	const large = 256 << 20
	if f == nil {
		return c
	}
	switch soft := f.State.Space.Stack.Soft; {
	case soft.State == census.Exact && soft.N >= large:
		c.because(say("it is %[1]s bytes now", "现为 %[1]s 字节", soft))
	case soft.State == census.Exact:
		c.although(say("it is %[1]s bytes for programs that are started like this", "以这种方式启动的程序为 %[1]s 字节", soft))
	}
	return c
}

func mappings(_ Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "max-map-count", Why: say("the program had as many mappings as vm.max_map_count allows; each thread's stack takes two", "程序的映射数达到 vm.max_map_count；每个线程栈占用两个"),
		Cure: say("sysctl -w vm.max_map_count=262144", "sysctl -w vm.max_map_count=262144")}
	if f == nil {
		return c
	}
	const usual = 65530 // DEFAULT_MAX_MAP_COUNT
	if most := f.State.Space.MaxMappings; most.State == census.Exact && most.N < usual {
		c.because(say("it is %[1]s, which is less than usual", "现为 %[1]s，低于通常值", most))
	} else if most.State == census.Exact {
		c.although(say("it is %[1]s, which few programs reach", "现为 %[1]s，很少有程序能达到", most))
	}
	return c
}

func lockedMemory(_ Word, _ Log, _ *Facts) Cause {
	return Cause{ID: "memlock", Likelihood: Certain, Why: say("the program locks its memory (mlockall), and RLIMIT_MEMLOCK does not let it lock more", "程序锁定其内存（mlockall），而 RLIMIT_MEMLOCK 不允许锁定更多"),
		Cure: say("LimitMEMLOCK= of the unit, docker run --ulimit memlock=-1, ulimit -l unlimited", "单元的 LimitMEMLOCK=、docker run --ulimit memlock=-1、ulimit -l unlimited")}
}

func memoryGroup(w Word, log Log, f *Facts) Cause {
	c := Cause{ID: "cgroup-memory", Why: say("a control group had used its memory (memory.max), and the kernel refused more or killed a program in it", "控制组的内存已用尽（memory.max），内核拒绝继续分配，或终止了其中的程序"),
		Cure: say("raise it where it is set: systemctl set-property UNIT MemoryMax=N, docker update --memory N CONTAINER, resources.limits.memory of the pod",
			"在设置它的地方提高：systemctl set-property UNIT MemoryMax=N、docker update --memory N CONTAINER、Pod 的 resources.limits.memory")}
	for _, k := range log.Words {
		if k.Kind == KilledInGroup {
			c.Likelihood = Certain
			c.because(inGroup(k, k.Line))
		}
	}
	if f == nil {
		return c
	}
	for _, g := range f.Killing {
		c.because(say("in the group %[1]s the kernel has killed a process, times: %[2]s (limit: %[3]s bytes)", "内核曾在控制组 %[1]s 中终止进程，次数：%[2]s（限制 %[3]s 字节）", shown(g.Path), g.Killed, g.Max))
	}
	for _, k := range slices.Backward(f.Kernel) {
		if k.Kind == KilledInGroup {
			c.because(inGroup(k, 0))
		}
	}
	if len(c.For) == 0 && f.State.Memory.OOMKilled == census.Known(0) {
		c.although(say("the kernel has killed nothing since the host was started", "主机启动以来内核没有终止过任何进程"))
	}
	return c
}

func machineMemory(w Word, log Log, f *Facts) Cause {
	c := Cause{ID: "memory", Why: say("the whole machine had no memory left", "整机内存耗尽"),
		Cure: say("more memory or swap, or limits for what takes it: free -m; slabtop -o -s c | head", "增加内存或交换空间，或限制占用者：free -m; slabtop -o -s c | head")}
	for _, k := range log.Words {
		if k.Kind == Killed && k.Speaker == kernel {
			c.Likelihood = Certain
			c.because(say("line %[1]d: the kernel killed %[2]s", "第 %[1]d 行：内核终止了 %[2]s", k.Line, shown(k.Name)))
		}
	}
	if f == nil || len(c.For) > 0 {
		return c
	}
	const little = 64 << 20
	if free := f.State.Memory.Available; free.State == census.Exact && free.N < little {
		c.because(say("only %[1]s bytes are available now", "现仅有 %[1]s 字节可用", free))
	} else if free.State == census.Exact {
		c.although(say("%[1]s bytes are available now", "现有 %[1]s 字节可用", free))
	}
	return c
}

// inGroup tells of a program that the kernel killed for its group. line is 0 for one that
// the log of the host has.
func inGroup(k Word, line int) diagnose.Text {
	t := say("line %[1]d:", "第 %[1]d 行：", line)
	if line == 0 {
		t = say("the kernel's log of the host:", "主机的内核日志：")
	}
	more := say(" a program was killed for its memory group", "有程序因内存控制组被终止")
	switch {
	case k.Name != "" && k.Group != "":
		more = say(" %[1]s was killed for the group %[2]s", "%[1]s 因控制组 %[2]s 被终止", shown(k.Name), shown(k.Group))
	case k.Name != "":
		more = say(" %[1]s was killed for its memory group", "%[1]s 因内存控制组被终止", shown(k.Name))
	case k.Group != "":
		more = say(" a program was killed for the group %[1]s", "有程序因控制组 %[1]s 被终止", shown(k.Group))
	}
	return diagnose.Text{English: t.English + more.English, Chinese: t.Chinese + more.Chinese}
}

// byHand is what else sends SIGKILL.
func byHand(Word, Log, *Facts) Cause {
	return Cause{ID: "signal", Why: say("somebody sent SIGKILL: kill -9, a service manager's timeout, a container engine's stop", "有人发送了 SIGKILL：kill -9、服务管理器超时、容器引擎停止容器"),
		Cure: say("look for who did: journalctl -u UNIT, docker events", "查明是谁发送的：journalctl -u UNIT、docker events")}
}
