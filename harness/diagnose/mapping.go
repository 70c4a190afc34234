package diagnose

import "github.com/mapstack/conformance/harness/diagnose/census"

// memory judges a mapping that was refused.
func memory(e Evidence) []Cause {
	switch e.Failure.Name {
	case "ENOMEM", "":
		return full(e)
	case "EAGAIN":
		return []Cause{{ID: "memlock", Certainty: MayBe, Where: "RLIMIT_MEMLOCK",
			Why: say("the program has called mlockall(MCL_FUTURE), and RLIMIT_MEMLOCK does not let it lock more memory",
				"程序调用过 mlockall(MCL_FUTURE)，而 RLIMIT_MEMLOCK 不允许锁定更多内存"),
			Raise: []Remedy{running("prlimit --pid %d --memlock=unlimited", e.State.PID), run(before(), "ulimit -l unlimited")}}}
	}
	return refusedMapping(e)
}

// full names the limits that a mapping of this length would exceed.
func full(e Evidence) []Cause {
	var causes []Cause
	for _, judge := range []func(Evidence) (Cause, bool){rlimitAS, mapCount, rlimitData, overcommit} {
		if c, ok := judge(e); ok {
			c.Certainty = Next
			causes = append(causes, c)
		}
	}
	if len(causes) > 0 {
		causes[0].Certainty = Is
		return causes
	}
	m := e.State.Memory
	return []Cause{{ID: "memory", Certainty: MayBe, Used: m.Available,
		Why: say("no limit of the program is reached; the machine has %[1]s bytes available, and refused %[2]d at once (vm.overcommit_memory is %[3]s)",
			"程序的各项限制均未达到；整机可用内存 %[1]s 字节，拒绝了一次分配 %[2]d 字节的请求（vm.overcommit_memory 为 %[3]s）",
			m.Available, e.Failure.Length, m.Overcommit)}}
}

// over reports whether length bytes more would exceed a limit.
func over(used census.Amount, length uint64, limit census.Amount) bool {
	used.N += length
	return used.AtLeast(limit) && used.N > limit.N
}

func rlimitAS(e Evidence) (Cause, bool) {
	s := e.State.Space
	return Cause{ID: "rlimit-as", Limit: s.Limit.Soft, Used: s.Size, Where: "RLIMIT_AS",
		Why: say("RLIMIT_AS lets the program have %[1]s bytes of address space, and it has %[2]s; a Go program reserves far more address space than it uses",
			"RLIMIT_AS 只允许程序使用 %[1]s 字节的地址空间，现已使用 %[2]s 字节；Go 程序预留的地址空间远多于实际使用的内存", s.Limit.Soft, s.Size),
		Raise: []Remedy{running("prlimit --pid %d --as=unlimited", e.State.PID), run(before(), "ulimit -v unlimited")},
	}, over(s.Size, e.Failure.Length, s.Limit.Soft)
}

func mapCount(e Evidence) (Cause, bool) {
	s := e.State.Space
	return Cause{ID: "max-map-count", Limit: s.MaxMappings, Used: s.Mappings, Where: "/proc/sys/vm/max_map_count",
		Why: say("the program may have %[1]s mappings (vm.max_map_count) and has %[2]s",
			"每个程序最多允许 %[1]s 个映射（vm.max_map_count），现有 %[2]s 个", s.MaxMappings, s.Mappings),
		Raise: []Remedy{sysctl("vm.max_map_count", double(s.Mappings.N))},
	}, s.Mappings.AtLeast(s.MaxMappings)
}

func rlimitData(e Evidence) (Cause, bool) {
	s := e.State.Space
	return Cause{ID: "rlimit-data", Limit: s.DataLimit.Soft, Used: s.Data, Where: "RLIMIT_DATA",
		Why: say("RLIMIT_DATA lets the program have %[1]s bytes of private writable memory, and it has %[2]s",
			"RLIMIT_DATA 只允许程序拥有 %[1]s 字节的私有可写内存，现有 %[2]s 字节", s.DataLimit.Soft, s.Data),
		Raise: []Remedy{running("prlimit --pid %d --data=unlimited", e.State.PID), run(before(), "ulimit -d unlimited")},
	}, over(s.Data, e.Failure.Length, s.DataLimit.Soft)
}

func overcommit(e Evidence) (Cause, bool) {
	m := e.State.Memory
	return Cause{ID: "overcommit", Limit: m.CommitLimit, Used: m.Committed, Where: "/proc/sys/vm/overcommit_memory",
		Why: say("vm.overcommit_memory is 2: the machine promises no more than %[1]s bytes, and has promised %[2]s",
			"vm.overcommit_memory 为 2：整机最多承诺 %[1]s 字节内存，已承诺 %[2]s 字节", m.CommitLimit, m.Committed),
		Raise: []Remedy{sysctl("vm.overcommit_memory", 0), sysctl("vm.overcommit_ratio", 100)},
	}, m.Overcommit == census.Known(2) && over(m.Committed, e.Failure.Length, m.CommitLimit)
}

// refusedMapping judges an error that a sound kernel never gives to an anonymous
// mapping.
func refusedMapping(e Evidence) []Cause {
	f := e.Failure
	if e.MapStack != 0 && f.Flags&e.MapStack != 0 {
		return []Cause{{ID: "map-stack", Certainty: MayBe, Where: "MAP_STACK",
			Why: say("a mapping with MAP_STACK, which C libraries make for each thread, was refused with %[1]s; Linux never does that: it was a filter, a security module or a defective kernel",
				"带 MAP_STACK 的映射（C 库为每个线程创建）以 %[1]s 被拒绝；Linux 从不这样做，因此是过滤器、安全模块或有缺陷的内核所为", f.name()),
			Raise: []Remedy{run(say("to test whether this kernel refuses MAP_STACK", "检验该内核是否拒绝 MAP_STACK"), "make conformance FOCUS=mapstack")}}}
	}
	return []Cause{{ID: "security-module", Certainty: MayBe, Where: "/sys/kernel/security/lsm",
		Why: say("no limit gives %[1]s to a mapping: a filter or a security module refuses it",
			"没有限制会使映射返回 %[1]s：是过滤器或安全模块拒绝了它", f.name())}}
}
