package protection

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// moduleClaims returns the claims about security modules.
func moduleClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "PR-012", Level: verdict.Must,
			English: "Under the security modules that are active, a user gets every protection for anonymous memory with MAP_STACK exactly as without it.",
			Chinese: "在当前启用的安全模块之下，普通用户对带 MAP_STACK 的匿名内存获得的各种保护与不带时完全相同。",
			Source:  "hooks mmap_file and file_mprotect of security/*: none looks at MAP_STACK, and anonymous memory has no file; observed under lockdown, landlock, yama, apparmor, tomoyo, bpf, ipe, ima, evm",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				if t.Step("modules").Value("active") == "" {
					missing("modules", "active", "the kernel names no security module, not even capability")
				}
				checkAllowed(g, t, a, "user")
			}),
		},
		{
			ID: "SG-009", Level: verdict.Must,
			English: "With kernel.yama.ptrace_scope at 2 a user gets every protection for anonymous memory, with MAP_STACK and without.",
			Chinese: "kernel.yama.ptrace_scope 为 2 时，普通用户对匿名内存仍能获得各种保护，无论是否带 MAP_STACK。",
			Source:  "security/yama/yama_lsm.c: hooks of ptrace, prctl and task_free alone; the article says otherwise of UOS",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				if scope := t.Step("yama set").Value("scope"); scope != "2" {
					missing("yama set", "scope", "is %s", scope)
				}
				checkAllowed(g, t, a, "yama")
			}),
		},
	}
}

// checkAllowed expects each protection to be granted, with MAP_STACK and without.
func checkAllowed(g gomega.Gomega, t claim.Transcript, a abi.Table, child string) {
	t.Ended(child)
	if who := t.Step(child + ".who"); who.Int("uid") == 0 {
		missing(who.Step, "uid", "the child runs as root")
	}
	all := a.Prot.Read | a.Prot.Write | a.Prot.Exec
	for prot := uint64(0); prot <= all; prot++ {
		var perms []string
		for _, kind := range []string{"plain", "stack"} {
			o := t.Step(fmt.Sprintf("%s.%s %d", child, kind, prot))
			expect.OK(g, o)
			expect.Permitted(g, a, o, prot)
			if rw := a.Prot.Read | a.Prot.Write; prot&rw == rw {
				equal(g, o, "store", ok)
			}
			perms = append(perms, o.Value("perms"))
		}
		g.Expect(perms[0]).To(gomega.Equal(perms[1]), "%s, protection %d: with MAP_STACK and without", child, prot)
	}
}
