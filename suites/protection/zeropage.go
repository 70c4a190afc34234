package protection

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// sharedClaims returns the claim about the page of zeroes that programs share.
func sharedClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "PR-107", Level: verdict.Must,
			English: "A page that was only read stays the page of zeroes that all programs share when mprotect lets it be written: it is not counted as the program's own.",
			Chinese: "只被读过的页在 mprotect 使其可写之后仍是所有程序共享的零页：不计为该程序自己的页。",
			Source:  "mmap(2): anonymous memory is initialized to zero, which holds for no program any more when one frees the page of zeroes that all share; Documentation/filesystems/proc.rst: Rss counts what is resident of the mapping. pte_modify must keep pte_special, for vm_normal_page in mm/memory.c. Linux on MIPS up to 6.1 loses it (_PAGE_CHG_MASK in arch/mips/include/asm/pgtable-bits.h), frees the shared page at the first write or unmap, and any program can so end the machine; right in 6.12",
			Finding: "linux-61-on-mips-frees-the-page-of-zeroes",
			Probe:   zeropage,
			Check:   checkShared,
		},
	}
}

func checkShared(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
	o := t.Step("read")
	equal(g, o, "first", "0")
	if own := o.Value("Rss"); own != "0 kB" {
		panic(claim.Missing{Probe: zeropage, Step: o.Step, Value: "Rss", Reason: "this kernel counts or copies the page as soon as it is read: " + own})
	}
	o = t.Step("mprotect")
	expect.OK(g, o)
	equal(g, o, "perms", "rw-p")
	equal(g, o, "Rss", "0 kB")
}
