package mapstack

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// useClaims returns the claims about what programs do with a mapping later. Each has the
// same mapping without MAP_STACK as its control.
func useClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MS-021", Level: verdict.Must,
			English:  "Where huge pages are free, MAP_HUGETLB gives them with MAP_STACK as without: aligned, marked ht, of the same page size, and usable at both ends.",
			Chinese:  "有空闲大页时，MAP_HUGETLB 与 MAP_STACK 同用时和不用时一样给出大页：已对齐、带 ht 标志、页大小相同、两端可用。",
			Source:   "mmap(2): MAP_HUGETLB; Documentation/admin-guide/mm/hugetlbpage.rst; observed on 4.19, 6.1, 6.12 and 7.2",
			Features: []claim.Feature{feature.HugePages()},
			UserMode: claim.HostMemory,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				size, plain := t.Step("huge").Uint("size"), t.Step("huge.plain")
				for _, o := range []claim.Observation{plain, t.Step("huge.stack")} {
					expect.OK(g, o)
					g.Expect(o.Result()%size).To(gomega.BeZero(), "%s: %s in huge pages of %d bytes", o.Step, o.Ret, size)
					flagged(g, o, "vmflags", "ht", true)
					equal(g, o, "pagesize", plain.Value("pagesize"))
					equal(g, o, "first", "ok")
					equal(g, o, "last", "ok")
				}
			},
		},
		{
			ID: "MS-022", Level: verdict.Must,
			English:  "mremap grows and moves a mapping made with MAP_STACK as one made without: its content, protection and VmFlags, nh among them, go with it, and the old place is free.",
			Chinese:  "mremap 增大和移动带 MAP_STACK 的映射，与不带时一样：内容、保护属性和 VmFlags（包括 nh）随之移动，原处不再有映射。",
			Source:   "mremap(2); mm/mremap.c copies vm_flags (4.19 to 7.3)",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, kind := range []string{"plain", "stack"} {
					for _, how := range []string{"grow", "move"} {
						checkRemap(g, t.Step("remap."+how+"."+kind), how == "move")
					}
				}
			},
		},
		{
			ID: "MS-023", Level: verdict.Must,
			English:  "After mlockall(MCL_FUTURE) a mapping made with MAP_STACK is locked and in memory as one made without.",
			Chinese:  "mlockall(MCL_FUTURE) 之后，带 MAP_STACK 的映射与不带时一样被锁定并驻留内存。",
			Source:   "mlockall(2); the number of MCL_FUTURE is the architecture's (arch/*/include/uapi/asm/mman.h)",
			Features: []claim.Feature{feature.Lockable(), feature.LockableBeyond()},
			UserMode: claim.HostMemory,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Ended("lockall")
				expect.OK(g, t.Step("lockall.call"))
				for _, kind := range []string{"plain", "stack"} {
					o := t.Step("lockall." + kind)
					expect.OK(g, o)
					flagged(g, o, "vmflags", "lo", true)
					equal(g, o, "resident", "16")
				}
			},
		},
		{
			ID: "MS-024", Level: verdict.Must,
			English:  "A process made by fork has a copy of a mapping made with MAP_STACK as of one made without: it holds what was written before the fork and not what the parent writes later, and VmFlags are the same.",
			Chinese:  "fork 产生的进程对带 MAP_STACK 的映射与对不带的映射一样拥有副本：其中是 fork 之前写入的内容，而非父进程之后写入的内容，VmFlags 相同。",
			Source:   "fork(2): copy-on-write pages; mmap(2): MAP_PRIVATE; kernel/fork.c dup_mmap copies vm_flags (4.19 to 7.3)",
			Features: []claim.Feature{feature.Forked(probe, "fork.plain")},
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, kind := range []string{"plain", "stack"} {
					o := t.Step("fork." + kind)
					expect.OK(g, o)
					equal(g, o, "mapped", "true")
					equal(g, o, "held", inherited)
					equal(g, o, "perms", "rw-p")
					g.Expect(without(o, "vmflags", softDirty, maybeGuard)).To(gomega.Equal(without(t.Step("compare."+kind), "vmflags", softDirty, maybeGuard)), "%s: VmFlags of the child's copy, sd and gu left out", o.Step)
					equal(g, o, "status", "0")
				}
			},
		},
		{
			ID: "MS-025", Level: verdict.Must,
			English:  "The thread stack of glibc before 2.27 works: 8 MiB mapped readable and writable with MAP_STACK, a guard page closed by mprotect, both ends usable, the guard faulting, nh unchanged, and gone after munmap.",
			Chinese:  "glibc 2.27 之前的线程栈流程有效：带 MAP_STACK 以可读写方式映射 8 MiB，用 mprotect 关闭保护页，两端可用，保护页触发异常，nh 不变，munmap 后消失。",
			Source:   "mmap(2), mprotect(2), glibc 2.26 nptl/allocatestack.c; replayed on 4.19, 6.1, 6.12 and 7.2",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				mapped := t.Step("older.mmap")
				expect.OK(g, mapped)
				equal(g, mapped, "perms", "rw-p")
				checkOpened(g, t, "older")
				nh := has(mapped, "vmflags", "nh")
				flagged(g, t.Step("older.mprotect"), "stack.vmflags", "nh", nh)
				flagged(g, t.Step("older.mprotect"), "guard.vmflags", "nh", nh)
			},
		},
	}
}

// softDirty marks a mapping as written to since somebody last asked. It is no property of
// the mapping.
const softDirty = "sd"

// maybeGuard marks a mapping in which there may be guard regions. One that merges with such
// a mapping gets it too, so it is no property of how the mapping was made.
const maybeGuard = "gu"

// inherited is the byte that the probe writes before a fork.
const inherited = "90"

// checkRemap expects a mapping that mremap made twice as long.
func checkRemap(g gomega.Gomega, o claim.Observation, moved bool) {
	expect.OK(g, o)
	equal(g, o, "before", "ok")
	equal(g, o, "first", "165")
	equal(g, o, "last", "ok")
	equal(g, o, "perms", "rw-p")
	g.Expect(without(o, "vmflags", softDirty)).To(gomega.Equal(without(o, "old.vmflags", softDirty)), "%s: VmFlags afterwards, against before, sd left out", o.Step)
	if moved {
		equal(g, o, "there", "true")
		equal(g, o, "left", "fault")
	}
}
