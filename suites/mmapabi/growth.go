package mmapabi

import (
	"regexp"
	"strconv"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

func growthClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MF-026", Level: verdict.Must,
			English:  "MAP_GROWSDOWN gives a private anonymous mapping that grows down (gd).",
			Chinese:  "MAP_GROWSDOWN 给出可向下增长（gd）的私有匿名映射。",
			Source:   "mmap(2): MAP_GROWSDOWN indicates that the mapping should extend downward in memory; Documentation/filesystems/proc.rst, VmFlags: gd",
			UserMode: claim.HostGrowth,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step(bitStep(a.Map.GrowsDown))
				expect.OK(g, o)
				g.Expect(o.Words("vmflags")).To(gomega.ContainElement("gd"), "VmFlags")
			}),
		},
		{
			ID: "MF-027", Level: verdict.Must,
			English:  "Touching the page below a MAP_GROWSDOWN mapping extends it to exactly that page.",
			Chinese:  "触碰 MAP_GROWSDOWN 映射紧邻的下方一页，会将映射恰好扩展到该页。",
			Source:   "mmap(2): touching an address in the guard page below the mapping will cause the mapping to grow by a page",
			UserMode: claim.HostGrowth,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				grows(g, t, "grow.1 page")
			},
		},
		{
			ID: "MF-115", Level: verdict.Should, // the manual speaks of the next page alone
			English:  "Touching a page 100 pages below a MAP_GROWSDOWN mapping extends it to exactly that page.",
			Chinese:  "触碰 MAP_GROWSDOWN 映射下方相距 100 页的页，会将映射恰好扩展到该页。",
			Source:   "expand_downwards in mm/mmap.c (mm/vma.c since 6.12), which knows no distance; observed on 4.19 and 5.10 to 7.3",
			UserMode: claim.HostGrowth,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				grows(g, t, "grow.100 pages")
			},
		},
		{
			ID: "MF-028", Level: verdict.Should,
			English:  "A growing mapping keeps 256 pages from an accessible mapping below, to the page, and no distance from an inaccessible one.",
			Chinese:  "增长的映射与其下方可访问的映射精确保持 256 页的间距，与不可访问的映射则不保持间距。",
			Source:   "stack_guard_gap (256 by default, Documentation/admin-guide/kernel-parameters.txt) and expand_downwards in mm/mmap.c; observed on 5.10 to 7.3",
			UserMode: claim.HostGrowth,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				unlimited(t)
				rows(g, t.Step("grow.at the gap"), ok, "touch")
				rows(g, t.Step("grow.inside the gap"), "fault", "touch")
				rows(g, t.Step("grow.next to an inaccessible page"), ok, "touch")
			},
		},
		{
			ID: "MF-029", Level: verdict.Should,
			English:  "mmap does not honour a hint that would leave less than 256 pages below a growing mapping, and honours one that leaves them.",
			Chinese:  "若提示地址会使增长映射下方不足 256 页，mmap 不采纳该提示；若留足则采纳。",
			Source:   "vm_start_gap in include/linux/mm.h; observed on 5.10 to 7.3",
			UserMode: claim.HostGrowth,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("grow.hint inside the gap")
				expect.OK(g, o)
				g.Expect(o.Result()).NotTo(gomega.Equal(o.Uint("asked")), "%s: the address", o.Step)
				o = t.Step("grow.hint at the gap")
				expect.OK(g, o)
				g.Expect(o.Result()).To(gomega.Equal(o.Uint("asked")), "%s: the address", o.Step)
			},
		},
		{
			ID: "MF-030", Level: verdict.Should, // getrlimit(2) speaks of the process stack alone
			English:  "A growing mapping grows to RLIMIT_STACK, to the page, and a touch one page below raises SIGSEGV.",
			Chinese:  "增长映射可增长到 RLIMIT_STACK，精确到页；再往下一页的访问引发 SIGSEGV。",
			Source:   "acct_stack_growth in mm/mmap.c, mm/vma.c since 6.12 (4.19 to 7.3); getrlimit(2): RLIMIT_STACK is the maximum size of the process stack, upon which a SIGSEGV is generated",
			UserMode: claim.HostGrowth,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Step("full.limit").Result()
				o := t.Step("full.at the limit")
				rows(g, o, ok, "store")
				g.Expect(o.Uint("start")).To(gomega.Equal(o.Uint("touched")), "%s: where the mapping begins", o.Step)
				rows(g, t.Step("full.beyond the limit"), ok, "store")
				fault(g, t)
			},
		},
		{
			ID: "MF-110", Level: verdict.Must,
			English:  "RLIMIT_STACK limits growth only: mmap gives memory of twice its size with MAP_STACK or MAP_GROWSDOWN, and all of it is usable.",
			Chinese:  "RLIMIT_STACK 只限制增长：带 MAP_STACK 或 MAP_GROWSDOWN 的 mmap 可给出其两倍大小的内存，且全部可用。",
			Source:   "getrlimit(2): RLIMIT_STACK is the maximum size of the process stack; mmap(2), ERRORS: ENOMEM for memory, the number of mappings and RLIMIT_DATA; MAP_STACK is currently a no-op on Linux; observed on 4.19 and 5.10 to 7.3",
			UserMode: claim.HostGrowth,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Step("full.limit").Result()
				for _, step := range []string{"full.longer stack", "full.longer growing"} {
					o := t.Step(step)
					expect.OK(g, o)
					rows(g, o, ok, "first", "last")
				}
			},
		},
		{
			ID: "SG-011", Level: verdict.Must,
			English:      "The SIGSEGV of a touch below a growing mapping that is full has the code of unmapped memory, SEGV_MAPERR, and the address that was touched.",
			Chinese:      "触碰已满的增长映射之下的内存时，SIGSEGV 的代码为未映射内存的 SEGV_MAPERR，地址为被触碰的地址。",
			Source:       "sigaction(2): SEGV_MAPERR, address not mapped to object, and si_addr, the address of the fault; as the Go runtime prints them, to whom the address is an unexpected one",
			Features:     []claim.Feature{feature.GrowthLimit()},
			UserMode:     claim.HostGrowth,
			Uninjectable: "defects are injected at system calls, and a signal at a bad access is none",
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Step("full.limit").Result()
				touched := t.Step("full.beyond the limit").Uint("touched")
				code, addr := fault(g, t)
				g.Expect(code).To(gomega.BeEquivalentTo(mapError), "si_code of the signal")
				g.Expect(addr).To(gomega.Equal(touched), "si_addr of the signal")
			},
		},
		{
			ID: "MF-032", Level: verdict.Must,
			English:  "mprotect with PROT_GROWSDOWN changes a growing mapping from its start.",
			Chinese:  "带 PROT_GROWSDOWN 的 mprotect 从增长映射的起始处开始更改。",
			Source:   "mprotect(2): PROT_GROWSDOWN, apply the protection mode down to the beginning of a mapping that grows downward",
			UserMode: claim.HostGrowth,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("prot_growsdown on a growing mapping")
				expect.OK(g, o)
				rows(g, o, "r--p", "first.perms", "asked.perms")
				rows(g, o, "rw-p", "after.perms")
			},
		},
		{
			ID: "MF-126", Level: verdict.Should, // the manual has no error for it
			English:  "mprotect refuses PROT_GROWSDOWN with EINVAL on a mapping that does not grow, and changes nothing.",
			Chinese:  "对不增长的映射，mprotect 以 EINVAL 拒绝 PROT_GROWSDOWN，且不改变任何内容。",
			Source:   "do_mprotect_pkey in mm/mprotect.c (4.19 to 7.3)",
			UserMode: claim.HostGrowth,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step("prot_growsdown on a plain mapping")
				expect.Errno(g, a, o, invalid)
				rows(g, o, "rw-p", "first.perms", "asked.perms", "after.perms")
			}),
		},
	}
}

// grows expects that a touch extended a growing mapping to the page that was touched.
func grows(g gomega.Gomega, t claim.Transcript, step string) {
	unlimited(t)
	o := t.Step(step)
	rows(g, o, ok, "store")
	g.Expect(o.Uint("start")).To(gomega.Equal(o.Uint("touched")), "%s: where the mapping begins", step)
	g.Expect(o.Words("vmflags")).To(gomega.ContainElement("gd"), "%s: VmFlags", step)
}

// unlimited stops the check unless RLIMIT_STACK was raised out of the way.
func unlimited(t claim.Transcript) { t.Step("grow.limit").Result() }

// mapError is SEGV_MAPERR (include/uapi/asm-generic/siginfo.h).
const mapError = 1

// fault expects that the child that went beyond the limit died of a SIGSEGV. It
// returns the code and the address that the child's runtime printed.
func fault(g gomega.Gomega, t claim.Transcript) (code, addr uint64) {
	o := t.Step("full")
	if o.Value("timedout") != "false" {
		panic(claim.Missing{Probe: probe, Step: o.Step, Value: "exit", Reason: "the child ran out of time"})
	}
	found := regexp.MustCompile(`\[signal SIGSEGV: [a-z ]*code=(0x[0-9a-f]+) addr=(0x[0-9a-f]+)`).FindStringSubmatch(o.Value("stderr"))
	g.Expect(found).To(gomega.HaveLen(3), "a SIGSEGV in the last words %q of the child, which went one page beyond the limit", o.Value("stderr"))
	code, err := strconv.ParseUint(found[1], 0, 64)
	g.Expect(err).NotTo(gomega.HaveOccurred(), "the code of the signal")
	addr, err = strconv.ParseUint(found[2], 0, 64)
	g.Expect(err).NotTo(gomega.HaveOccurred(), "the address of the signal")
	return code, addr
}
