package mapstack

import (
	"strconv"
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// residentClaims returns the claims about the memory that a stack takes, and about the
// place that it gets.
func residentClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MS-026", Level: verdict.Must,
			English:  "A stack takes memory as it is used: of 8 MiB nothing is resident at first, and after one write at most 2 MiB are, and a single page where the mapping carries nh; Rss of smaps counts the same pages as mincore.",
			Chinese:  "栈用多少占多少内存：8 MiB 起初没有任何驻留页，写一次之后至多驻留 2 MiB，带 nh 的映射只驻留一页；smaps 的 Rss 与 mincore 计得相同的页数。",
			Source:   "proc_pid_smaps(5): Rss, the size of the mapping that is currently resident in RAM; mincore(2); mmap(2): MAP_POPULATE, and MAP_STACK, this flag is currently a no-op on Linux; madvise(2): MADV_NOHUGEPAGE, no transparent huge pages in the range. Commit c4608d1bf7c6 sets nh so that stacks stay small; with huge pages always on, 2 MiB after one write on 6.1 and 4 KiB on 7.2",
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				for _, kind := range []string{"plain", "stack"} {
					checkResident(g, t.Step("resident."+kind), f)
				}
			},
		},
		{
			ID: "MS-027", Level: verdict.Must,
			English:  "A free address that mmap takes as a hint for plain memory it takes for memory with MAP_STACK, also at the upper end of the address space.",
			Chinese:  "mmap 为普通内存采纳的空闲提示地址，对带 MAP_STACK 的内存也采纳，在地址空间的上端亦然。",
			Source:   "mmap(2): if another mapping does not exist there, the kernel attempts to create the mapping at the hint; MAP_STACK, this flag is currently a no-op on Linux; Documentation/arch/x86/x86_64/5level-paging.rst: a hint above 47 bits. AD-105 says which hints those are",
			UserMode: claim.HostPlaces,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				hint := t.Step("high").Uint("hint")
				for _, kind := range []string{"plain", "stack"} {
					o := t.Step("high." + kind)
					expect.OK(g, o)
					g.Expect(o.Result()).To(gomega.Equal(hint), "%s: %s", o.Step, o.Call)
					equal(g, o, "store", "ok")
				}
			},
		},
	}
}

// hugest is the largest part of a stack that one huge page can be, in bytes. Larger huge
// pages do not fit into 8 MiB that begin and end with other protections.
const hugest = 2 << 20

func checkResident(g gomega.Gomega, o claim.Observation, f facts.Facts) {
	expect.OK(g, o)
	equal(g, o, "perms", "rw-p")
	g.Expect(o.Int("before")).To(gomega.BeZero(), "%s: resident pages of untouched memory", o.Step)
	equal(g, o, "store", "ok")
	after, most := o.Int("after"), max(1, hugest/f.PageSize)
	if has(o, "vmflags", "nh") {
		most = 1
	}
	g.Expect(after).To(gomega.And(gomega.BeNumerically(">=", 1), gomega.BeNumerically("<=", most)), "%s: resident pages after one write, VmFlags %q", o.Step, o.Value("vmflags"))
	g.Expect(kilobytes(o, "before.rss")).To(gomega.BeZero(), "%s: Rss of untouched memory", o.Step)
	g.Expect(kilobytes(o, "after.rss")).To(gomega.Equal(after*f.PageSize>>10), "%s: Rss in kB after one write, against %d resident pages", o.Step, after)
}

// kilobytes returns a value such as "4 kB".
func kilobytes(o claim.Observation, key string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(o.Value(key), " kB"))
	if err != nil {
		panic(claim.Missing{Probe: probe, Step: o.Step, Value: key, Reason: err.Error()})
	}
	return n
}
