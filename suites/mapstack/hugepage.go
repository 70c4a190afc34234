package mapstack

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/facts"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/history"
)

// hugePageClaims are about the one effect that MAP_STACK has.
func hugePageClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID:      "MS-010",
			English: "MAP_STACK sets VM_NOHUGEPAGE (nh in smaps) on every mapping from Linux 6.8 on, where transparent huge pages are configured, and never before.",
			Chinese: "自 Linux 6.8 起，在配置了透明大页的内核上，MAP_STACK 使每个映射带有 VM_NOHUGEPAGE（smaps 中的 nh）；更早的内核从不如此。",
			Source:  "commits c4608d1bf7c6 (6.8, 6.7.6) and 7190b3c8bd2b (6.15, 6.12.31); include/linux/mman.h calc_vm_flag_bits",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				want := history.StackNoHugepage(f)
				for _, step := range stackMappings() {
					o, key := t.Step(step), "vmflags"
					if step == "merge.stack" {
						key = "right.vmflags"
					}
					succeeded(g, o)
					g.Expect(has(o, key, "nh")).To(gomega.Equal(want),
						"%s: nh among VmFlags %q of Linux %s, THP configured %t", o.Step, o.Value(key), f.UnameRelease, f.THP)
				}
				if want {
					// 8 MiB hold a huge page on every architecture but those of
					// 16 KiB pages; eligible they must not be on any.
					equal(g, t.Step("map.8m"), "thpeligible", "0")
				}
				flagged(g, t.Step("compare.plain"), "vmflags", "nh", false)
			},
		},
		{
			ID:      "MS-015",
			English: "MADV_HUGEPAGE turns a MAP_STACK mapping's nh into hg and MADV_NOHUGEPAGE turns it back; without transparent huge pages both are EINVAL.",
			Chinese: "MADV_HUGEPAGE 把 MAP_STACK 映射的 nh 换成 hg，MADV_NOHUGEPAGE 再换回；未配置透明大页时两者都返回 EINVAL。",
			Source:  "mm/khugepaged.c hugepage_madvise, mm/madvise.c madvise_behavior_valid; observed on every booted kernel",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				huge, none := t.Step("thp.hugepage"), t.Step("thp.nohugepage")
				if !f.THP {
					refused(g, f, huge, "EINVAL")
					refused(g, f, none, "EINVAL")
					return
				}
				succeeded(g, huge)
				flagged(g, huge, "vmflags", "hg", true)
				flagged(g, huge, "vmflags", "nh", false)
				succeeded(g, none)
				flagged(g, none, "vmflags", "hg", false)
				flagged(g, none, "vmflags", "nh", true)
			},
		},
	}
}
