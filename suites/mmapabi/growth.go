package mmapabi

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/facts"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

func growthClaims() []claim.Claim {
	return []claim.Claim{
		must("MF-026",
			"MAP_GROWSDOWN gives a private anonymous mapping that grows (gd) and is refused with EINVAL for shared memory and for files.",
			"MAP_GROWSDOWN 给出可向下增长（gd）的私有匿名映射；对共享内存和文件以 EINVAL 拒绝。",
			"do_mmap in mm/mmap.c",
			func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step(bitStep(a.Map.GrowsDown))
				expect.OK(g, o)
				g.Expect(o.Words("vmflags")).To(gomega.ContainElement("gd"), "VmFlags")
				for _, step := range []string{"shared anonymous", "private file", "shared file"} {
					expect.Errno(g, a, t.Step("growsdown "+step), invalid)
				}
			}),
		must("MF-027",
			"Touching a page below a MAP_GROWSDOWN mapping, next to it or 100 pages away, extends it to exactly that page.",
			"触碰 MAP_GROWSDOWN 映射下方的页（相邻或相距 100 页），会将映射恰好扩展到该页。",
			"expand_downwards in mm/mmap.c; observed on 5.10 to 7.3",
			func(g gomega.Gomega, t claim.Transcript, _ abi.Table, _ facts.Facts) {
				unlimited(t)
				for _, step := range []string{"grow.1 page", "grow.100 pages"} {
					o := t.Step(step)
					rows(g, o, ok, "store")
					g.Expect(o.Uint("start")).To(gomega.Equal(o.Uint("touched")), "%s: where the mapping begins", step)
					g.Expect(o.Words("vmflags")).To(gomega.ContainElement("gd"), "%s: VmFlags", step)
				}
			}),
		should("MF-028",
			"A growing mapping keeps 256 pages from an accessible mapping below, to the page, and no distance from an inaccessible one.",
			"增长的映射与其下方可访问的映射精确保持 256 页的间距，与不可访问的映射则不保持间距。",
			"stack_guard_gap (256 by default, Documentation/admin-guide/kernel-parameters.txt) and expand_downwards in mm/mmap.c; observed on 5.10 to 7.3",
			func(g gomega.Gomega, t claim.Transcript, _ abi.Table, _ facts.Facts) {
				unlimited(t)
				rows(g, t.Step("grow.at the gap"), ok, "touch")
				rows(g, t.Step("grow.inside the gap"), "fault", "touch")
				rows(g, t.Step("grow.next to an inaccessible page"), ok, "touch")
			}),
		should("MF-029",
			"mmap does not honour a hint that would leave less than 256 pages below a growing mapping, and honours one that leaves them.",
			"若提示地址会使增长映射下方不足 256 页，mmap 不采纳该提示；若留足则采纳。",
			"vm_start_gap in include/linux/mm.h; observed on 5.10 to 7.3",
			func(g gomega.Gomega, t claim.Transcript, _ abi.Table, _ facts.Facts) {
				o := t.Step("grow.hint inside the gap")
				expect.OK(g, o)
				g.Expect(o.Result()).NotTo(gomega.Equal(o.Uint("asked")), "%s: the address", o.Step)
				o = t.Step("grow.hint at the gap")
				expect.OK(g, o)
				g.Expect(o.Result()).To(gomega.Equal(o.Uint("asked")), "%s: the address", o.Step)
			}),
		must("MF-032",
			"mprotect with PROT_GROWSDOWN changes a growing mapping from its start, and is refused with EINVAL on any other.",
			"带 PROT_GROWSDOWN 的 mprotect 从增长映射的起始处开始更改，对其他映射以 EINVAL 拒绝。",
			"do_mprotect_pkey in mm/mprotect.c",
			func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step("prot_growsdown on a plain mapping")
				expect.Errno(g, a, o, invalid)
				rows(g, o, "rw-p", "first.perms", "asked.perms", "after.perms")
				o = t.Step("prot_growsdown on a growing mapping")
				expect.OK(g, o)
				rows(g, o, "r--p", "first.perms", "asked.perms")
				rows(g, o, "rw-p", "after.perms")
			}),
	}
}

// unlimited stops the check unless RLIMIT_STACK was out of the way.
func unlimited(t claim.Transcript) { t.Step("grow.limit").Result() }
