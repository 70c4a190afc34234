package limits

import (
	"strconv"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// infinityClaims are about limits that are none, and about the older call for limits.
func infinityClaims() []claim.Claim {
	const sysResource = 24 // CAP_SYS_RESOURCE, which raises a hard limit
	raised := []claim.Feature{feature.Capability("CAP_SYS_RESOURCE", sysResource)}
	return []claim.Claim{
		{
			ID: "LM-126", Level: verdict.Must,
			English:  "prlimit64 takes and gives 2^64-1 for no limit, and /proc/self/limits then says unlimited.",
			Chinese:  "prlimit64 以 2^64-1 表示没有限制，设置和读取均如此；/proc/self/limits 此时显示 unlimited。",
			Source:   "getrlimit(2): RLIM_INFINITY denotes no limit on a resource, and prlimit() has limits of 64 bits; include/uapi/linux/resource.h: RLIM64_INFINITY is (~0ULL) on every architecture",
			Features: raised,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				expect.OK(g, t.Step("infinity.set"))
				o := t.Step("infinity.get")
				expect.OK(g, o)
				const none = "18446744073709551615"
				g.Expect(o.Value("current")).To(gomega.Equal(none), "the soft limit of %s", o.Call)
				g.Expect(o.Value("max")).To(gomega.Equal(none), "the hard limit of %s", o.Call)
				g.Expect(o.Value("shown")).To(gomega.Equal("unlimited unlimited"), "what /proc/self/limits shows")
			},
		},
		{
			ID: "LM-127", Level: verdict.Should, // libcs and Go use prlimit64
			English:     "getrlimit of an architecture that has it gives what prlimit64 set; on ppc64le its number answers ENOSYS, because ugetrlimit took its place.",
			Chinese:     "具有 getrlimit 的架构上，它给出 prlimit64 所设的值；在 ppc64le 上该调用号返回 ENOSYS，因为 ugetrlimit 取代了它。",
			Source:      "getrlimit(2); arch/*/kernel/syscalls/syscall.tbl and __ARCH_WANT_SET_GET_RLIMIT (4.19 to 7.3)",
			Features:    raised,
			Unsupported: claim.Where(withoutGetrlimit),
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.OK(g, t.Step("infinity.set finite"))
				o := t.Step("infinity.getrlimit")
				if a.GOARCH == "ppc64le" {
					expect.Errno(g, a, o, "ENOSYS")
					return
				}
				expect.OK(g, o)
				const finite = 0x1234000
				g.Expect(o.Value("current")).To(gomega.Equal(strconv.Itoa(finite)), "the soft limit of %s", o.Call)
			}),
		},
	}
}

// withoutGetrlimit excludes architectures that came after prlimit64, see SZ-013.
func withoutGetrlimit(a abi.Table) string {
	if a.Syscall.Getrlimit == 0 {
		return "the architecture has no getrlimit"
	}
	return ""
}
