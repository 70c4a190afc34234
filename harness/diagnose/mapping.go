package diagnose

import (
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/diagnose/census"
)

// memory judges memory that was refused.
func memory(e Evidence) []Cause {
	switch e.Failure.Name {
	case "ENOMEM", "":
		return full(e)
	case "EAGAIN":
		return []Cause{memlock(e, say("the program has called mlockall(MCL_FUTURE), and RLIMIT_MEMLOCK does not let it lock more memory",
			"程序调用过 mlockall(MCL_FUTURE)，而 RLIMIT_MEMLOCK 不允许锁定更多内存"))}
	}
	return refusedMapping(e)
}

func memlock(e Evidence, why Text) Cause {
	return Cause{ID: "memlock", Certainty: MayBe, Where: "RLIMIT_MEMLOCK", Why: why,
		Raise: []Remedy{running("prlimit --pid %d --memlock=unlimited", e.State.PID), run(before().and(asRoot()), "ulimit -l unlimited")}}
}

// full names the limits that so much more memory would exceed.
func full(e Evidence) []Cause {
	var causes []Cause
	for _, judge := range []func(Evidence) (Cause, bool){hugeStack, rlimitAS, mapCount, rlimitData, overcommit, tooLarge} {
		if c, ok := judge(e); ok {
			c.Certainty = Next
			causes = append(causes, c)
		}
	}
	if len(causes) > 0 {
		causes[0].Certainty = Is
		if len(causes) > 1 && causes[0].ID == "rlimit-stack" {
			causes[1].Certainty = Is
		}
		return causes
	}
	if e.State.PID == 0 {
		return unseen(e)
	}
	return []Cause{unexplainedMemory(e)}
}

// unexplainedMemory says what is known where no limit that can be read is reached.
func unexplainedMemory(e Evidence) Cause {
	s, m := e.State.Space, e.State.Memory
	why := say("no limit of the program that can be read is reached; the machine has %[1]s bytes available, and refused %[2]d at once (vm.overcommit_memory is %[3]s)",
		"可读取的程序限制均未达到；整机可用内存 %[1]s 字节，拒绝了一次 %[2]d 字节的请求（vm.overcommit_memory 为 %[3]s）", m.Available, e.Failure.Length, m.Overcommit)
	var unread []string
	for _, limit := range []struct {
		name string
		of   []census.Amount
	}{
		{"RLIMIT_AS", []census.Amount{s.Limit.Soft, s.Size}}, {"RLIMIT_DATA", []census.Amount{s.DataLimit.Soft, s.Data}},
		{"vm.max_map_count", []census.Amount{s.MaxMappings, s.Mappings}}, {"vm.overcommit_memory", []census.Amount{m.Overcommit}},
	} {
		if slices.ContainsFunc(limit.of, func(a census.Amount) bool { return a.State == census.Unread }) {
			unread = append(unread, limit.name)
		}
	}
	if len(unread) > 0 {
		why = why.and(say("; these cannot be read from here: %[1]s", "；从这里无法读取：%[1]s", strings.Join(unread, ", ")))
	}
	if e.Failure.Call == "mprotect" {
		why = why.and(say("; mprotect also gives this error for a range that is not mapped", "；对未映射的范围，mprotect 也返回该错误"))
	}
	return Cause{ID: "memory", Certainty: MayBe, Used: m.Available, Why: why}
}

// over reports whether length bytes more would exceed a limit.
func over(used census.Amount, length uint64, limit census.Amount) bool {
	used.N += length
	return used.AtLeast(limit) && used.N > limit.N
}

// needed says how much the call asked for and how much there was.
func needed(e Evidence, used, limit census.Amount) Text {
	if e.Failure.Length == 0 || used.State != census.Exact || limit.State != census.Exact {
		return Text{}
	}
	return say("; the call asked for %[1]d more, and there were %[2]d left", "；该调用请求再分配 %[1]d 字节，而余量为 %[2]d 字节", e.Failure.Length, limit.N-min(used.N, limit.N))
}

// hugeStackSize is the size of a stack that no program has by intention, bytes.
const hugeStackSize = 1 << 30

// hugeStack judges the stack of a thread that C libraries make as large as RLIMIT_STACK
// (__pthread_initialize_minimal_internal in glibc's nptl/nptl-init.c). It is not the limit
// that refuses, and the reason why any does.
func hugeStack(e Evidence) (Cause, bool) {
	size, asked := e.State.Space.Stack.Soft, e.Failure.Length
	const page = 1 << 16 // the largest page, and the guard, are no larger
	alike := asked+page >= size.N && asked <= size.N+16*page
	return Cause{ID: "rlimit-stack", Limit: size, Where: "RLIMIT_STACK",
		Why: say("RLIMIT_STACK (ulimit -s) is %[1]s bytes, and C libraries make the stack of each thread as large as that; the call asked for %[2]d",
			"RLIMIT_STACK（ulimit -s）为 %[1]s 字节，C 库为每个线程创建同样大的栈；该调用请求 %[2]d 字节", size, asked).and(e.setter(e.Rlimit.Stack, size)),
		Raise: []Remedy{run(before(), "ulimit -s 8192")},
	}, size.State == census.Exact && size.N >= hugeStackSize && alike
}

func rlimitAS(e Evidence) (Cause, bool) {
	s := e.State.Space
	return Cause{ID: "rlimit-as", Limit: s.Limit.Soft, Used: s.Size, Where: "RLIMIT_AS",
		Why: say("RLIMIT_AS lets the program have %[1]s bytes of address space, and it has %[2]s", "RLIMIT_AS 只允许程序使用 %[1]s 字节的地址空间，现已使用 %[2]s 字节", s.Limit.Soft, s.Size).
			and(needed(e, s.Size, s.Limit.Soft)).and(e.setter(e.Rlimit.AS, s.Limit.Soft)).and(say("; runtimes such as those of Go, Java and Node reserve far more address space than they use", "；Go、Java、Node 等运行时预留的地址空间远多于实际使用的内存")),
		Raise: raise{"as", "v", "LimitAS", 1024, s.Limit}.to(e.State, max(double(s.Limit.Soft.N), double(s.Size.N+e.Failure.Length))),
	}, e.Failure.Call != "mprotect" && over(s.Size, e.Failure.Length, s.Limit.Soft)
}

func mapCount(e Evidence) (Cause, bool) {
	s := e.State.Space
	return Cause{ID: "max-map-count", Limit: s.MaxMappings, Used: s.Mappings, Where: "/proc/sys/vm/max_map_count",
		Why: say("the program may have %[1]s mappings (vm.max_map_count) and has %[2]s",
			"每个程序最多允许 %[1]s 个映射（vm.max_map_count），现有 %[2]s 个", s.MaxMappings, s.Mappings),
		Raise: []Remedy{sysctl("vm.max_map_count", double(s.Mappings.N))},
	}, atCount(e)
}

// atCount reports whether there are as many mappings as there may be. mprotect can split
// one into three.
func atCount(e Evidence) bool {
	have := e.State.Space.Mappings
	if e.Failure.Call == "mprotect" {
		have.N += 2
	}
	return have.AtLeast(e.State.Space.MaxMappings)
}

func rlimitData(e Evidence) (Cause, bool) {
	s := e.State.Space
	return Cause{ID: "rlimit-data", Limit: s.DataLimit.Soft, Used: s.Data, Where: "RLIMIT_DATA",
		Why: say("RLIMIT_DATA lets the program have %[1]s bytes of private writable memory, and it has %[2]s",
			"RLIMIT_DATA 只允许程序拥有 %[1]s 字节的私有可写内存，现有 %[2]s 字节", s.DataLimit.Soft, s.Data).
			and(needed(e, s.Data, s.DataLimit.Soft)).and(e.setter(e.Rlimit.Data, s.DataLimit.Soft)).and(say("; the stacks of threads count too", "；线程的栈也计入")),
		Raise: raise{"data", "d", "LimitDATA", 1024, s.DataLimit}.to(e.State, max(double(s.DataLimit.Soft.N), double(s.Data.N+e.Failure.Length))),
	}, !e.Failure.Reserve && over(s.Data, e.Failure.Length, s.DataLimit.Soft)
}

// refusedMapping judges an error that no limit gives to an anonymous mapping.
func refusedMapping(e Evidence) []Cause {
	f := e.Failure
	switch {
	case f.Name == "EPERM" && f.Flags&e.Map.Locked != 0 && e.Map.Locked != 0:
		return []Cause{memlock(e, say("the mapping is to be locked (MAP_LOCKED), and RLIMIT_MEMLOCK lets the program lock none",
			"该映射要求锁定内存（MAP_LOCKED），而 RLIMIT_MEMLOCK 不允许程序锁定内存"))}
	case f.Name == "EPERM" && f.Flags&e.Map.Fixed != 0 && e.Map.Fixed != 0:
		c := Cause{ID: "mmap-min-addr", Certainty: MayBe, Where: "/proc/sys/vm/mmap_min_addr",
			Why: say("the mapping is to be at a fixed address (MAP_FIXED), perhaps below vm.mmap_min_addr, where the kernel lets nobody map without CAP_SYS_RAWIO",
				"该映射要求固定地址（MAP_FIXED），可能低于 vm.mmap_min_addr；没有 CAP_SYS_RAWIO 时内核不允许在那里建立映射"),
			Raise: []Remedy{run(say("to see the limit", "查看该限制"), "sysctl vm.mmap_min_addr")}}
		return append([]Cause{c}, unlikely(e)...)
	case e.Map.Stack != 0 && f.Flags&e.Map.Stack != 0:
		causes := unlikely(e)
		for i := range causes {
			causes[i].ID, causes[i].Where = "map-stack", "MAP_STACK"
			causes[i].Why = say("a mapping with MAP_STACK, which C libraries make for each thread, was refused with %[1]s; Linux itself never does that", "带 MAP_STACK 的映射（C 库为每个线程创建）以 %[1]s 被拒绝；Linux 自身从不这样做", f.name()).
				and(say(";", "；")).and(causes[i].Why)
			causes[i].Raise = append(causes[i].Raise, run(say("to test whether this kernel refuses MAP_STACK", "检验该内核是否拒绝 MAP_STACK"), "mapstack run --kernel /boot/vmlinuz-$(uname -r) --focus mapstack"))
		}
		return causes
	}
	return unlikely(e)
}
