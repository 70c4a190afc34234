package protection

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// moduleClaims returns the claims about security modules.
func moduleClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "PR-012", Level: verdict.Must,
			English:  "Under the security modules that are active, a user gets every protection for anonymous memory with MAP_STACK exactly as without it.",
			Chinese:  "在当前启用的安全模块之下，普通用户对带 MAP_STACK 的匿名内存获得的各种保护与不带时完全相同。",
			Source:   "mmap(2), MAP_STACK: this flag is currently a no-op on Linux, so what a module grants or refuses to plain memory it must grant or refuse alike; observed under lockdown, landlock, yama, apparmor, tomoyo, bpf, ipe, ima, evm",
			Features: []claim.Feature{feature.AnotherUser(probe, "user")},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				checkAlike(g, t, a, "user")
			}),
		},
		{
			ID: "SG-009", Level: verdict.Must,
			English:  "With kernel.yama.ptrace_scope at 2 a user gets every protection for anonymous memory that he got before, with MAP_STACK and without.",
			Chinese:  "kernel.yama.ptrace_scope 为 2 时，普通用户对匿名内存仍能获得此前能获得的各种保护，无论是否带 MAP_STACK。",
			Source:   "ptrace(2), /proc/sys/kernel/yama/ptrace_scope, and Documentation/admin-guide/LSM/Yama.rst: the sysctl restricts whom PTRACE_ATTACH and PTRACE_TRACEME may trace, and nothing of memory; the article says otherwise of UOS",
			Features: []claim.Feature{feature.StrictPtrace(), feature.AnotherUser(probe, "user")},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				if scope := t.Step("yama set").Value("scope"); scope != "2" {
					missing("yama set", "scope", "is %s", scope)
				}
				checkAlike(g, t, a, "yama")
				for _, step := range allowed(a) {
					before, now := t.Step("user."+step), t.Step("yama."+step)
					g.Expect(now.Failure()).To(gomega.Equal(before.Failure()), "%s under the strict Yama, against before", step)
				}
			}),
		},
	}
}

// allowed lists the steps of a child that asks for each protection.
func allowed(a abi.Table) (steps []string) {
	for prot := uint64(0); prot <= a.Prot.Read|a.Prot.Write|a.Prot.Exec; prot++ {
		for _, kind := range []string{"plain", "stack"} {
			steps = append(steps, fmt.Sprintf("%s %d", kind, prot))
		}
	}
	return steps
}

// checkAlike expects each protection to be granted with MAP_STACK as without. Plain memory
// may be refused only if it would be executable.
func checkAlike(g gomega.Gomega, t claim.Transcript, a abi.Table, child string) {
	t.Ended(child)
	if who := t.Step(child + ".who"); who.Int("uid") == 0 {
		missing(who.Step, "uid", "the child runs as root")
	}
	for prot := uint64(0); prot <= a.Prot.Read|a.Prot.Write|a.Prot.Exec; prot++ {
		plain, stack := t.Step(fmt.Sprintf("%s.plain %d", child, prot)), t.Step(fmt.Sprintf("%s.stack %d", child, prot))
		g.Expect(stack.Failure()).To(gomega.Equal(plain.Failure()), "%s, protection %d: with MAP_STACK, against without", child, prot)
		if prot&a.Prot.Exec != 0 && !plain.OK() && feature.Refused(plain.Error) {
			continue // a policy; PR-006 asks whether there is one
		}
		for _, o := range []claim.Observation{plain, stack} {
			expect.OK(g, o)
			expect.Permitted(g, a, o, prot)
			if rw := a.Prot.Read | a.Prot.Write; prot&rw == rw {
				equal(g, o, "store", ok)
			}
		}
		equal(g, stack, "perms", plain.Value("perms"))
	}
}
