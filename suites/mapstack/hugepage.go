package mapstack

import (
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/history"
)

// hugePageClaims returns the claims about the one effect that MAP_STACK has.
func hugePageClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MS-017", Level: verdict.Must,
			English:  "Either every mapping with MAP_STACK carries nh or none does, one that does is not eligible for huge pages, and a mapping without MAP_STACK never carries it.",
			Chinese:  "带 MAP_STACK 的映射要么全部带有 nh，要么全部没有；带 nh 的映射不能使用透明大页；不带 MAP_STACK 的映射从不带 nh。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux, so that it has one effect at most; Documentation/filesystems/proc.rst: nh, no huge page advise flag, and THPeligible; commit c4608d1bf7c6; observed on every booted kernel",
			UserMode: claim.HostMaps,
			Check:    checkNoHugepage,
		},
		{
			ID: "MS-010", Level: verdict.Should, // the change is back-ported
			English:  "MAP_STACK sets VM_NOHUGEPAGE (nh in smaps) from Linux 6.8 (stable 6.7.6) on where transparent huge pages are configured, without them until 6.15 (stable 6.12.31) too, and never before.",
			Chinese:  "自 Linux 6.8（稳定版 6.7.6）起，在配置了透明大页的内核上，MAP_STACK 使映射带有 VM_NOHUGEPAGE（smaps 中的 nh）；未配置透明大页的内核到 6.15（稳定版 6.12.31）之前也是如此；更早的内核从不如此。",
			Source:   "commits c4608d1bf7c6 (6.8, 6.7.6) and 7190b3c8bd2b (6.15, 6.12.31); include/linux/mman.h calc_vm_flag_bits",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := t.Step("compare.stack")
				expect.OK(g, o)
				g.Expect(has(o, "vmflags", "nh")).To(gomega.Equal(history.StackNoHugepage(f)),
					"%s: nh among VmFlags %q of Linux %s, THP configured %t", o.Step, o.Value("vmflags"), f.UnameRelease, f.THP)
			},
		},
		{
			ID: "MS-015", Level: verdict.Must,
			English:  "MADV_HUGEPAGE gives a MAP_STACK mapping hg and takes nh away, and MADV_NOHUGEPAGE does the opposite; without transparent huge pages both are EINVAL.",
			Chinese:  "MADV_HUGEPAGE 为 MAP_STACK 映射加上 hg 并去掉 nh，MADV_NOHUGEPAGE 则相反；未配置透明大页时两者都返回 EINVAL。",
			Source:   "madvise(2): MADV_HUGEPAGE and MADV_NOHUGEPAGE, available only if the kernel was configured with CONFIG_TRANSPARENT_HUGEPAGE, and ERRORS: EINVAL, advice is not valid; Documentation/filesystems/proc.rst, VmFlags: hg and nh; observed on every booted kernel",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				huge, none := t.Step("thp.hugepage"), t.Step("thp.nohugepage")
				if !f.THP {
					expect.Errno(g, expect.Table(f), huge, "EINVAL")
					expect.Errno(g, expect.Table(f), none, "EINVAL")
					return
				}
				expect.OK(g, huge)
				flagged(g, huge, "vmflags", "hg", true)
				flagged(g, huge, "vmflags", "nh", false)
				expect.OK(g, none)
				flagged(g, none, "vmflags", "hg", false)
				flagged(g, none, "vmflags", "nh", true)
			},
		},
	}
}

func checkNoHugepage(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	want := has(t.Step("compare.stack"), "vmflags", "nh")
	for _, step := range stackMappings(t, f) {
		o, key := t.Step(step), "vmflags"
		if step == "merge.stack" {
			key = "right.vmflags"
		}
		if strings.HasPrefix(step, "prot.") && !granted(g, t, o, "prot.plain."+strings.TrimPrefix(step, "prot.")) {
			continue // a policy refuses such memory, and nothing carries the flag
		}
		expect.OK(g, o)
		flagged(g, o, key, "nh", want)
	}
	if want {
		// 8 MiB hold a huge page unless pages have 16 KiB. The mapping must not be
		// eligible anywhere.
		equal(g, t.Step("map.8m"), "thpeligible", "0")
	}
	flagged(g, t.Step("compare.plain"), "vmflags", "nh", false)
}
