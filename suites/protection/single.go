package protection

import (
	"slices"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// page is a step and the content of its page.
type page struct{ step, content string }

// executable returns the pages with PROT_EXEC alone: a fresh one, and one that was
// written before.
func executable() []page { return []page{{"execute.mmap", "0"}, {"execute.mprotect", stored}} }

// singleClaims returns the claims about PROT_WRITE and PROT_EXEC alone.
func singleClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "PR-004", Level: verdict.Must,
			English: "PROT_WRITE alone, by mmap and by mprotect, gives memory that can be written and keeps what was written; maps shows it as asked, on riscv64 perhaps as readable too.",
			Chinese: "单独的 PROT_WRITE（经 mmap 或 mprotect）给出可写且保留所写内容的内存；maps 按所请求的显示，在 riscv64 上可能也显示为可读。",
			Source:  "protection_map of arch/*/mm; arch_calc_vm_prot_bits of riscv adds PROT_READ from 7.0 on; the untouched page is written before it is read, because reading it first never returns on MIPS CPUs without RIXI, also after an earlier write and mprotect",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				t.Ended("write")
				for _, o := range []claim.Observation{t.Step("write.mmap"), t.Step("write.mprotect")} {
					expect.OK(g, o)
					expect.Permitted(g, a, o, a.Prot.Write)
					equal(g, o, "write", ok)
					equal(g, o, "content", stored)
				}
			}),
		},
		{
			ID: "PR-101", Level: verdict.Must,
			English: "Reading memory that has PROT_WRITE alone gives what was written, or faults where the CPU can keep it from being read.",
			Chinese: "读取只有 PROT_WRITE 的内存，得到所写的内容，或在 CPU 能禁止读取时触发故障。",
			Source:  "arch/mips/mm/fault.c of 6.1: with RIXI (Loongson-3A4000) the CPU can refuse the read, but right after a write the page reads there too; observed: the content on every booted kernel",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				t.Ended("write")
				equal(g, t.Step("write.mprotect"), "filled", ok)
				for _, o := range []claim.Observation{t.Step("write.mmap"), t.Step("write.mprotect")} {
					expect.OK(g, o)
					g.Expect(o.Value("read")).To(gomega.BeElementOf(stored, fault), "step %s: reading", o.Step)
				}
			}),
		},
		{
			ID: "PR-005", Level: verdict.Must,
			English: "PROT_EXEC alone, by mmap and by mprotect, gives memory that cannot be written and keeps its content, and maps shows it as asked.",
			Chinese: "单独的 PROT_EXEC（经 mmap 或 mprotect）给出不可写且保留内容的内存，maps 按所请求的显示。",
			Source:  "protection_map of arch/*/mm; mmap(2)",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				t.Ended("execute")
				equal(g, t.Step("execute.mprotect"), "filled", ok)
				for _, page := range executable() {
					o := t.Step(page.step)
					expect.OK(g, o)
					expect.Permitted(g, a, o, a.Prot.Exec)
					equal(g, o, "write", fault)
					equal(g, o, "content", page.content)
				}
			}),
		},
		{
			ID: "PR-106", Level: verdict.Must,
			English:     "Reading memory that has PROT_EXEC alone gives its content, or faults where the CPU can keep it from being read.",
			Chinese:     "读取只有 PROT_EXEC 的内存，得到其内容，或在 CPU 能禁止读取时触发故障。",
			Source:      "protection_map of arch/*/mm; observed: loong64 7.2 and mips64le 6.1 with RIXI fault for a page that was never touched and read one that was; s390x reads, the others fault",
			Unsupported: harmed,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				t.Ended("execute")
				equal(g, t.Step("execute.mprotect"), "filled", ok)
				for _, page := range executable() {
					o := t.Step(page.step)
					expect.OK(g, o)
					g.Expect(o.Value("read")).To(gomega.BeElementOf(page.content, fault), "step %s: reading", o.Step)
				}
			}),
		},
		{
			ID: "PR-102", Level: verdict.Should,
			English:     "On amd64 memory with PROT_EXEC alone cannot be read where the CPU has protection keys, and can be read where it has not.",
			Chinese:     "在 amd64 上，CPU 具备保护键时不能读取只有 PROT_EXEC 的内存，不具备时则可以。",
			Source:      "execute_only_pkey in arch/x86/mm/pkeys.c, \"ospke\" in /proc/cpuinfo; observed on amd64 5.10 and 7.3",
			Unsupported: claim.Where(only("amd64", "protection keys are a feature of amd64 CPUs")),
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Ended("execute")
				keys := t.Step("processor").Value("ospke") == "true"
				for _, page := range executable() {
					o := t.Step(page.step)
					expect.OK(g, o)
					want := page.content
					if keys {
						want = fault
					}
					equal(g, o, "read", want)
				}
			},
		},
		{
			ID: "PR-109", Level: verdict.Should, // POSIX lets memory be readable that only has PROT_EXEC
			English: "On loong64, on riscv64 and on MIPS CPUs with RIXI, memory with PROT_EXEC alone that was never touched cannot be read.",
			Chinese: "在 loong64、riscv64 以及具有 RIXI 的 MIPS CPU 上，不能读取只有 PROT_EXEC 且从未访问过的内存。",
			Source:  "protection_map of arch/{loongarch,riscv,mips}/mm; observed: loong64 7.2, riscv64 7.2 and mips64le 6.1 on a Loongson-3A4000 fault; a page that was touched before reads on loong64 and mips64le",
			Unsupported: func(cell matrix.Cell, a abi.Table) string {
				if slices.Contains([]string{"loong64", "mips64le", "riscv64"}, a.GOARCH) {
					return harmed(cell, a)
				}
				return "whether such memory can be read depends on more than the architecture, see PR-102 and PR-106"
			},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				t.Ended("execute")
				o, want := t.Step("execute.mmap"), fault
				if a.GOARCH == "mips64le" && t.Step("processor").Value("rixi") != "true" {
					want = "0"
				}
				expect.OK(g, o)
				equal(g, o, "read", want)
			}),
		},
	}
}

// harmed excludes the one machine that does not survive the read: Debian's 6.1
// on QEMU's 5KEf, which has no RIXI, later hands out memory that is not empty.
func harmed(cell matrix.Cell, _ abi.Table) string {
	if cell.Arch == "mips64le" && cell.Machine == "malta" {
		return "the machine's CPU has no RIXI, and reading such memory harms what runs afterwards"
	}
	return ""
}

// only excludes every architecture but one.
func only(goarch, reason string) func(abi.Table) string {
	return func(a abi.Table) string {
		if a.GOARCH == goarch {
			return ""
		}
		return reason
	}
}
