package protection

import (
	"fmt"
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// bitClaims returns the claims about protection bits beyond read, write and
// execute.
func bitClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "PR-008", Level: verdict.Must,
			English: "mprotect refuses the protection bits 0x100000 and 0x80000000, which no architecture defines, with EINVAL, and the protection stays as it was.",
			Chinese: "mprotect 以 EINVAL 拒绝任何架构都未定义的保护位 0x100000 和 0x80000000，原有的保护保持不变。",
			Source:  "mprotect(2), ERRORS: EINVAL, invalid flags specified in prot; the numbers are in no arch/*/include/uapi/asm/mman.h (4.19 to 7.3)",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step("unknown bits in mprotect")
				for _, bit := range []string{"0x100000", "0x80000000"} {
					equal(g, o, bit, invalid)
					kept(g, o, bit)
				}
			}),
		},
		{
			ID: "PR-108", Level: verdict.Should, // a vendor may define one
			English: "mprotect refuses every protection bit that the architecture does not define with EINVAL, and the protection stays as it was.",
			Chinese: "mprotect 以 EINVAL 拒绝本架构未定义的每个保护位，原有的保护保持不变。",
			Source:  "arch_validate_prot in include/linux/mman.h and arch/*/include/asm/mman.h (4.19 to 7.3); mprotect(2)",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step("unknown bits in mprotect")
				for _, bit := range unknown(a) {
					equal(g, o, bit, invalid)
					kept(g, o, bit)
				}
			}),
		},
		{
			ID: "PR-103", Level: verdict.Should,
			English: "mmap ignores every protection bit that the architecture does not define, but ppc64le refuses them with EINVAL.",
			Chinese: "mmap 忽略本架构未定义的每个保护位，但 ppc64le 以 EINVAL 拒绝它们。",
			Source:  "do_mmap in mm/mmap.c; do_mmap2 in arch/powerpc/kernel/syscalls.c asks arch_validate_prot first; observed on 5.10 to 7.3",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step("unknown bits in mmap")
				for _, bit := range unknown(a) {
					if a.GOARCH == "ppc64le" {
						equal(g, o, bit, invalid)
						continue
					}
					equal(g, o, bit, ok)
					kept(g, o, bit)
				}
			}),
		},
		{
			ID: "PR-104", Level: verdict.Must,
			English: "The architecture's PROT_SEM is accepted by mprotect and changes nothing.",
			Chinese: "本架构的 PROT_SEM 被 mprotect 接受，且不改变任何东西。",
			Source:  "mprotect(2): PROT_SEM (since Linux 2.5.7) is currently not used on any architecture; its number is 0x10 on mips and 0x8 elsewhere (arch/*/include/uapi/asm/mman.h)",
			Check:   semaphores("sem in mprotect"),
		},
		{
			ID: "PR-112", Level: verdict.Should, // mmap(2) does not name it
			English: "The architecture's PROT_SEM is accepted by mmap and changes nothing.",
			Chinese: "本架构的 PROT_SEM 被 mmap 接受，且不改变任何东西。",
			Source:  "do_mmap in mm/mmap.c (4.19 to 7.3), and arch_validate_prot where an architecture asks it; observed on 4.19 and 5.10 to 7.3",
			Check:   semaphores("sem in mmap"),
		},
		{
			ID: "PR-105", Level: verdict.Should,
			English:     "On arm64 mprotect accepts PROT_BTI and PROT_MTE where the CPU has the feature, and refuses them with EINVAL where it has not; mmap ignores them there.",
			Chinese:     "在 arm64 上，CPU 具备相应特性时 mprotect 接受 PROT_BTI 和 PROT_MTE，不具备时以 EINVAL 拒绝；此时 mmap 则忽略它们。",
			Source:      "arch_validate_prot and arch_calc_vm_prot_bits in arch/arm64/include/asm/mman.h; observed on arm64 6.12",
			Unsupported: claim.Where(only("arm64", "the bits are defined on arm64 alone")),
			Check:       expect.WithTable(checkOptional),
		},
	}
}

// semaphores makes a check of a step that gave PROT_SEM to a page.
func semaphores(step string) func(gomega.Gomega, claim.Transcript, facts.Facts) {
	return func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
		o := t.Step(step)
		expect.OK(g, o)
		equal(g, o, "perms", "rw-p")
		equal(g, o, "store", ok)
	}
}

// unknown lists the protection bits that the architecture does not define, in the
// order of their numbers.
func unknown(a abi.Table) []string {
	named := a.Prot.Read | a.Prot.Write | a.Prot.Exec
	for _, c := range a.Prot.Named() {
		named |= c.Value
	}
	var bits []string
	for n := 3; n < 32; n++ {
		if bit := uint64(1) << n; named&bit == 0 {
			bits = append(bits, fmt.Sprintf("%#x", bit))
		}
	}
	return bits
}

// kept expects a page to be still readable and writable after a call with a bit. An
// mprotect that only ignored the bit would have made it read-only.
func kept(g gomega.Gomega, o claim.Observation, bit string) { equal(g, o, bit+" store", ok) }

func checkOptional(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
	for _, bit := range []struct{ name, vmflag string }{{"bti", "bt"}, {"mte", "mt"}} {
		has := t.Step("processor").Value(bit.name) == "true"
		mapped, changed := t.Step(bit.name+" in mmap"), t.Step(bit.name+" in mprotect")
		expect.OK(g, mapped)
		if has {
			expect.OK(g, changed)
		} else {
			expect.Errno(g, a, changed, invalid)
		}
		for _, o := range []claim.Observation{mapped, changed} {
			marked := strings.Contains(" "+o.Value("vmflags")+" ", " "+bit.vmflag+" ")
			g.Expect(marked).To(gomega.Equal(has), "step %s: %s among VmFlags %q", o.Step, bit.vmflag, o.Value("vmflags"))
			equal(g, o, "store", ok)
		}
	}
}
