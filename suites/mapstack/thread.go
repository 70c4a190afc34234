package mapstack

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// threadClaims returns the claims about how C libraries make thread stacks.
func threadClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "PR-009", Level: verdict.Must,
			English:  "The thread stack of glibc works: 8 MiB mapped PROT_NONE with MAP_STACK, all but a guard page opened by mprotect, both ends usable, the guard faulting, nh unchanged, and gone after munmap.",
			Chinese:  "glibc 的线程栈流程有效：带 MAP_STACK 以 PROT_NONE 映射 8 MiB，用 mprotect 打开保护页以外的部分，两端可用，保护页触发异常，nh 不变，munmap 后消失。",
			Source:   "mmap(2): PROT_NONE, and MAP_STACK, used in the glibc threading implementation; mprotect(2): the access protections; munmap(2): further references generate invalid memory references; glibc 2.36 nptl/allocatestack.c; replayed on every booted kernel",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				checkThreadStack(g, t, "glibc")
				nh := has(t.Step("glibc.mmap"), "vmflags", "nh")
				flagged(g, t.Step("glibc.mprotect"), "stack.vmflags", "nh", nh)
				flagged(g, t.Step("glibc.mprotect"), "guard.vmflags", "nh", nh)
			},
		},
		{
			ID: "PR-010", Level: verdict.Must,
			English:  "The thread stack of musl works: mapped PROT_NONE without MAP_STACK, all but a guard page opened by mprotect, both ends usable, the guard faulting, never nh, and gone after munmap.",
			Chinese:  "musl 的线程栈流程有效：不带 MAP_STACK 以 PROT_NONE 映射，用 mprotect 打开保护页以外的部分，两端可用，保护页触发异常，从不带 nh，munmap 后消失。",
			Source:   "mmap(2): PROT_NONE; mprotect(2): the access protections; munmap(2): further references generate invalid memory references; musl 1.2.3 src/thread/pthread_create.c; replayed on every booted kernel",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				checkThreadStack(g, t, "musl")
				flagged(g, t.Step("musl.mmap"), "vmflags", "nh", false)
				flagged(g, t.Step("musl.mprotect"), "stack.vmflags", "nh", false)
			},
		},
		{
			ID: "PR-011", Level: verdict.Must,
			English:  "MADV_DONTNEED empties a stack mapping: its pages are given back and read as zero, it stays writable, and its flags stay.",
			Chinese:  "MADV_DONTNEED 清空栈映射：页面被归还且读出为零，映射仍可写，标志不变。",
			Source:   "madvise(2): MADV_DONTNEED, subsequent accesses will succeed, with zero-fill-on-demand pages for anonymous private mappings; mmap(2), MAP_STACK: this flag is currently a no-op on Linux; observed on every booted kernel",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				before, after := t.Step("dontneed.map"), t.Step("dontneed")
				expect.OK(g, before)
				equal(g, before, "first", "ok")
				g.Expect(before.Int("resident")).To(gomega.BeNumerically(">=", 1), "pages in memory after a write")
				expect.OK(g, after)
				equal(g, after, "resident", "0")
				equal(g, after, "byte", "0")
				equal(g, after, "again", "ok")
				equal(g, after, "vmflags", before.Value("vmflags"))
			},
		},
		{
			ID: "PR-014", Level: verdict.Must,
			English:  "MADV_GUARD_INSTALL makes one page of a stack mapping fault while its neighbours work and maps still shows one mapping.",
			Chinese:  "MADV_GUARD_INSTALL 使栈映射中的一页触发异常，其相邻页正常，maps 仍显示为一个映射。",
			Source:   "madvise(2): MADV_GUARD_INSTALL; commit 662df3e5c376; observed absent up to 6.12 and present from 6.16 on",
			Features: []claim.Feature{feature.GuardRegions()},
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := t.Step("guard.install")
				expect.OK(g, o)
				equal(g, o, "perms", "rw-p")
				g.Expect(o.Uint("end")-o.Uint("start")).To(gomega.BeNumerically(">=", 4*uint64(f.PageSize)), "%s: bytes of the mapping around the guard", o.Step)
				equal(g, o, "before", "ok")
				equal(g, o, "guard", "fault")
				equal(g, o, "after", "ok")
			},
		},
	}
}

func checkThreadStack(g gomega.Gomega, t claim.Transcript, libc string) {
	mmap := t.Step(libc + ".mmap")
	expect.OK(g, mmap)
	equal(g, mmap, "perms", "---p")
	checkOpened(g, t, libc)
}

// checkOpened expects a stack that is usable above its guard, until it is unmapped.
func checkOpened(g gomega.Gomega, t claim.Transcript, libc string) {
	mprotect, munmap := t.Step(libc+".mprotect"), t.Step(libc+".munmap")
	expect.OK(g, mprotect)
	equal(g, mprotect, "stack.perms", "rw-p")
	equal(g, mprotect, "top", "ok")
	equal(g, mprotect, "bottom", "ok")
	equal(g, mprotect, "guard.perms", "---p")
	equal(g, mprotect, "guard.write", "fault")
	equal(g, mprotect, "guard.read", "fault")
	expect.OK(g, munmap)
	equal(g, munmap, "read", "fault")
}
