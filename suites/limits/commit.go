package limits

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

func commitClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "LM-020", Level: verdict.Must,
			English:  "Under vm.overcommit_memory 0 a private writable mapping one page larger than memory and swap together is ENOMEM, but not with MAP_NORESERVE or without write permission.",
			Chinese:  "vm.overcommit_memory 为 0 时，比内存加交换空间大一页的私有可写映射返回 ENOMEM；带 MAP_NORESERVE 或不可写的映射不受此限。",
			Source:   "proc_sys_vm(5), overcommit_memory: MAP_NORESERVE is not checked; Documentation/mm/overcommit-accounting.rst: obvious overcommits are refused, private read-only maps cost nothing; __vm_enough_memory in mm/util.c; observed on 4.19.90 and on 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("vm.overcommit_memory", "overcommit")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "overcommit.0")
				successes(g, t, "overcommit.0.", "noreserve", "readonly", "none")
				refusals(g, t, f, "overcommit.0.", noMemory, "plain", "stack", "growsdown")
			},
		},
		{
			ID: "LM-124", Level: verdict.Should,
			English:  "From 5.2 on, under vm.overcommit_memory 0 a private writable mapping may be as large as memory and swap together.",
			Chinese:  "从 5.2 起，vm.overcommit_memory 为 0 时私有可写映射可以与内存加交换空间一样大。",
			Source:   "\"mm: fix false-positive OVERCOMMIT_GUESS failures\" (5.2); before, what was free or reclaimable was compared with: ENOMEM on 4.19.90; observed on 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("vm.overcommit_memory", "overcommit"), feature.WholeMemoryGranted()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				prepared(t, "overcommit.0")
				successes(g, t, "overcommit.0.", "fits.plain")
			},
		},
		{
			ID: "LM-115", Level: verdict.Must,
			English:  "Under vm.overcommit_memory 1 mappings larger than memory and swap are made, whatever their kind.",
			Chinese:  "vm.overcommit_memory 为 1 时，大于内存加交换空间的任何种类的映射都能建立。",
			Source:   "Documentation/mm/overcommit-accounting.rst: mode 1, always overcommit; proc(5), overcommit_memory; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("vm.overcommit_memory", "overcommit")},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				prepared(t, "overcommit.1")
				successes(g, t, "overcommit.1.", "plain", "stack", "growsdown", "noreserve", "readonly", "none")
			},
		},
		{
			ID: "LM-116", Level: verdict.Must,
			English:  "Under vm.overcommit_memory 2 private writable mappings beyond the commit limit are ENOMEM, MAP_NORESERVE or not, and so is making one writable; read-only and PROT_NONE ones are made.",
			Chinese:  "vm.overcommit_memory 为 2 时，超过提交上限的私有可写映射（无论是否带 MAP_NORESERVE）返回 ENOMEM，把映射改为可写亦然；只读和 PROT_NONE 映射可以建立。",
			Source:   "Documentation/mm/overcommit-accounting.rst: mode 2, the total address space commit is not permitted to exceed swap and a part of RAM; private writable mappings count, and PRIVATE READ-only ones do not; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("vm.overcommit_memory", "overcommit")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "overcommit.2")
				refusals(g, t, f, "overcommit.2.", noMemory, "plain", "stack", "growsdown", "noreserve", "mprotect")
				successes(g, t, "overcommit.2.", "readonly", "none")
			},
		},
		{
			ID: "LM-117", Level: verdict.Must,
			English:  "Under vm.overcommit_memory 2 clone without CLONE_VM is refused with ENOMEM when the copy would exceed the commit limit, and works again when the memory is unmapped.",
			Chinese:  "vm.overcommit_memory 为 2 时，若复制后超过提交上限，不带 CLONE_VM 的 clone 以 ENOMEM 拒绝；解除映射后恢复正常。",
			Source:   "Documentation/mm/overcommit-accounting.rst: mode 2, and what counts is each private writable mapping of each process; fork(2), ERRORS: ENOMEM; observed on 4.19 and 5.10 to 7.3",
			Needs:    []abi.Feature{abi.Trace},
			Features: []claim.Feature{feature.WritableSysctl("vm.overcommit_memory", "overcommit")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "overcommit.2")
				prepared(t, "overcommit.2.limit")
				prepared(t, "overcommit.2.most")
				errno(g, f, t.Step("overcommit.2.fork"), noMemory)
				expect.OK(g, t.Step("overcommit.2.fork.again"))
			},
		},
		{
			ID: "LM-118", Level: verdict.Must,
			English:  "Threads start under vm.overcommit_memory 2 also when most of the commit limit is used, because CLONE_VM copies nothing.",
			Chinese:  "vm.overcommit_memory 为 2 且提交上限大部分已用时线程仍可启动，因为 CLONE_VM 不复制内存。",
			Source:   "Documentation/mm/overcommit-accounting.rst: mode 2 counts mappings; clone(2): with CLONE_VM the processes share one memory; observed on 4.19 and 5.10 to 7.3",
			Needs:    []abi.Feature{abi.Trace},
			Features: []claim.Feature{feature.WritableSysctl("vm.overcommit_memory", "overcommit")},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				prepared(t, "overcommit.2")
				prepared(t, "overcommit.2.limit")
				prepared(t, "overcommit.2.most")
				successes(g, t, "overcommit.2.", "thread")
				threadsStarted(g, t.Step("overcommit.2.threads"))
			},
		},
	}
}

// crowdedMap returns the step of a process that has one mapping more than
// vm.max_map_count.
func crowdedMap(t claim.Transcript) claim.Observation {
	prepared(t, "mapcount.set")
	return t.Step("mapcount.refused")
}

func mapCountClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "LM-021", Level: verdict.Must,
			English:  "mmap is ENOMEM once a process has one mapping more than vm.max_map_count, and not before.",
			Chinese:  "进程的映射数比 vm.max_map_count 多一个时 mmap 返回 ENOMEM，此前不会。",
			Source:   "mmap(2), ERRORS: ENOMEM, the process's maximum number of mappings would have been exceeded; proc(5), max_map_count; do_mmap in mm/mmap.c: map_count > sysctl_max_map_count; Kalesh Singh, \"mm: Document lenient map_count checks\" (v4 of the series on the VMA count limit, linux-mm, 2025): one more than the limit is intended",
			Features: []claim.Feature{feature.WritableSysctl("vm.max_map_count", "mapcount")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := crowdedMap(t)
				errno(g, f, o, noMemory)
				count(g, o, "mappings", o.Int("max")+1)
				errno(g, f, t.Step("mapcount.full"), noMemory)
			},
		},
		{
			ID: "LM-119", Level: verdict.Must,
			English:  "mprotect of a part of a mapping, which would split it, is ENOMEM at vm.max_map_count, changes nothing, and works when the limit is raised: without it no guard page can be made.",
			Chinese:  "达到 vm.max_map_count 时，对映射的一部分执行会导致拆分的 mprotect 返回 ENOMEM 且不改变任何内容，提高限制后恢复正常；否则无法建立保护页。",
			Source:   "mprotect(2), ERRORS: ENOMEM, changing the protection would result in the total number of mappings with distinct attributes exceeding the allowed maximum; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("vm.max_map_count", "mapcount")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				crowdedMap(t)
				o := t.Step("mapcount.split")
				errno(g, f, o, noMemory)
				g.Expect(o.Value("middle")).To(gomega.Equal("ok"), "a write to the part")
				o = t.Step("mapcount.recovered")
				expect.OK(g, o)
				g.Expect(o.Value("middle")).To(gomega.Equal("fault"), "a write to the part that is now read-only")
			},
		},
		{
			ID: "LM-120", Level: verdict.Must,
			English:  "When a process at vm.max_map_count gives a mapping back, exactly one more can be made.",
			Chinese:  "达到 vm.max_map_count 的进程归还一个映射后，恰好可以再建一个。",
			Source:   "mmap(2), ERRORS: ENOMEM at the maximum number of mappings; proc(5), max_map_count; do_mmap in mm/mmap.c: map_count > sysctl_max_map_count; observed on 5.10 to 7.3; Kalesh Singh, \"mm: Document lenient map_count checks\" (v4 of the series on the VMA count limit, linux-mm, 2025): one more than the limit is intended",
			Features: []claim.Feature{feature.WritableSysctl("vm.max_map_count", "mapcount")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := crowdedMap(t)
				errno(g, f, o, noMemory)
				count(g, t.Step("mapcount.again"), "mappings", o.Int("max"))
				expect.OK(g, t.Step("mapcount.again"))
				errno(g, f, t.Step("mapcount.full"), noMemory)
			},
		},
	}
}
