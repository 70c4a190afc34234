package protection

import (
	"slices"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/wire"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
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
			Source:  "mmap(2): PROT_WRITE, pages may be written; mprotect(2): PROT_WRITE, the memory can be modified; proc_pid_maps(5): the permissions of a mapping; mmap(2), NOTES: on some architectures PROT_WRITE implies PROT_READ (arch_calc_vm_prot_bits of riscv, from 7.0 on); the untouched page is written before it is read, because reading it first never returns on MIPS CPUs without RIXI, also after an earlier write and mprotect",
			Finding: "mips-cpus-without-rixi-do-not-return-from-a-read-of-write-only-memory",
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
			English: "Reading memory that has PROT_WRITE alone and was written gives what was written, or faults, with MAP_STACK as without it.",
			Chinese: "读取只有 PROT_WRITE 且已写入的内存，得到所写的内容，或触发故障；带与不带 MAP_STACK 相同。",
			Source:  "mmap(2), NOTES: on some architectures PROT_WRITE implies PROT_READ; mprotect(2), NOTES: POSIX.1 says that an implementation may permit access other than that specified in prot; mmap(2), MAP_STACK: this flag is currently a no-op on Linux. Plain memory is the control; a MIPS CPU with RIXI answers by what its TLB still holds, so the two may differ there",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				t.Ended("write")
				for _, way := range []string{"mmap", "mprotect"} {
					readsAlike(g, t, "write", page{way, stored})
				}
			}),
		},
		{
			ID: "PR-110", Level: verdict.Should, // POSIX leaves it open
			English: "Memory that has PROT_WRITE alone and was written can be read, but perhaps not on MIPS CPUs with RIXI.",
			Chinese: "只有 PROT_WRITE 且已写入的内存可读，但在具有 RIXI 的 MIPS CPU 上可能不可读。",
			Source:  "protection_map of arch/*/mm (4.19 to 7.3); observed on every booted kernel, and on a Loongson-3A4000 (RIXI) a fault after mprotect",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				t.Ended("write")
				equal(g, t.Step("write.mprotect"), "filled", ok)
				for _, o := range []claim.Observation{t.Step("write.mmap"), t.Step("write.mprotect")} {
					expect.OK(g, o)
					if rixi(t) {
						g.Expect(o.Value("read")).To(gomega.BeElementOf(stored, fault), "step %s: reading", o.Step)
						continue
					}
					equal(g, o, "read", stored)
				}
			}),
		},
		{
			ID: "PR-005", Level: verdict.Must,
			English:  "PROT_EXEC alone, by mmap and by mprotect, gives memory that cannot be written and keeps its content, and maps shows it as asked.",
			Chinese:  "单独的 PROT_EXEC（经 mmap 或 mprotect）给出不可写且保留内容的内存，maps 按所请求的显示。",
			Source:   "mprotect(2), NOTES: an implementation can allow write access only if PROT_WRITE has been set (POSIX.1); proc_pid_maps(5): the permissions of a mapping; mmap(2): PROT_EXEC, pages may be executed",
			Features: []claim.Feature{feature.ExecutableMapping()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, f facts.Facts) {
				t.Ended("execute")
				equal(g, t.Step("execute.mprotect"), "filled", ok)
				for _, page := range executable() {
					o := t.Step(page.step)
					if page.step == "execute.mprotect" && absent(t, f, feature.GainExecution()) {
						continue // a policy; PR-106 asks whether it is the same with MAP_STACK
					}
					expect.OK(g, o)
					expect.Permitted(g, a, o, a.Prot.Exec)
					equal(g, o, "write", fault)
					equal(g, o, "content", page.content)
				}
			}),
		},
		{
			ID: "PR-106", Level: verdict.Must,
			English: "Reading memory that has PROT_EXEC alone gives its content, or faults, with MAP_STACK as without it.",
			Chinese: "读取只有 PROT_EXEC 的内存，得到其内容，或触发故障；带与不带 MAP_STACK 相同。",
			Source:  "mprotect(2), NOTES: whether PROT_EXEC has any effect different from PROT_READ depends on processor architecture, kernel version and process state; mmap(2), MAP_STACK: this flag is currently a no-op on Linux. Plain memory is the control; which of the two is expected of a CPU is in PR-102, PR-109 and PR-111",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, _ abi.Table, f facts.Facts) {
				t.Ended("execute")
				for _, way := range []struct {
					page
					right claim.Feature
				}{{page{"mmap", "0"}, feature.ExecutableMapping()}, {page{"mprotect", stored}, feature.GainExecution()}} {
					if absent(t, f, way.right) {
						g.Expect(t.Step("execute.stack."+way.step).Failure()).To(gomega.Equal(t.Step("execute."+way.step).Failure()), "%s of PROT_EXEC with MAP_STACK, against without", way.step)
						continue
					}
					readsAlike(g, t, "execute", way.page)
				}
			}),
		},
		{
			ID: "PR-111", Level: verdict.Should, // only kernel files say which architectures
			English:     "Where the page table alone decides whether memory with PROT_EXEC alone can be read (amd64, arm64, ppc64le, riscv64, s390x), a page that was touched before reads or faults as a fresh one does.",
			Chinese:     "在只由页表决定能否读取只有 PROT_EXEC 的内存的架构上（amd64、arm64、ppc64le、riscv64、s390x），此前访问过的页与新页一样可读或触发故障。",
			Source:      "protection_map of arch/*/mm and execute_only_pkey of arch/{x86,powerpc}/mm (4.19 to 7.3); fault.c of loongarch and mips asks for VM_READ only when the page is not there yet; observed on every booted kernel",
			Unsupported: claim.Where(byPageTable),
			Features:    []claim.Feature{feature.GainExecution()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Ended("execute")
				equal(g, t.Step("execute.mprotect"), "filled", ok)
				var faults []bool
				for _, page := range executable() {
					o := t.Step(page.step)
					expect.OK(g, o)
					faults = append(faults, o.Value("read") == fault)
				}
				g.Expect(faults[1]).To(gomega.Equal(faults[0]), "a page that was touched faults, as a fresh one does")
			},
		},
		{
			ID: "PR-102", Level: verdict.Should,
			English:     "On amd64 memory with PROT_EXEC alone cannot be read where the CPU has protection keys, and can be read where it has not.",
			Chinese:     "在 amd64 上，CPU 具备保护键时不能读取只有 PROT_EXEC 的内存，不具备时则可以。",
			Source:      "execute_only_pkey in arch/x86/mm/pkeys.c, \"ospke\" in /proc/cpuinfo; observed on amd64 5.10 and 7.3",
			Unsupported: claim.Where(only("amd64", "protection keys are a feature of amd64 CPUs")),
			Features:    []claim.Feature{feature.GainExecution()},
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
			English: "On loong64, on riscv64 and on MIPS CPUs with RIXI, memory with PROT_EXEC alone that was never touched cannot be read; on other MIPS CPUs it reads as zero.",
			Chinese: "在 loong64、riscv64 以及具有 RIXI 的 MIPS CPU 上，不能读取只有 PROT_EXEC 且从未访问过的内存；在其他 MIPS CPU 上读得零。",
			Source:  "protection_map of arch/{loongarch,riscv,mips}/mm; observed: loong64 7.2, riscv64 7.2 and mips64le 6.1 on a Loongson-3A4000 fault, and mips64le 6.1 and 6.12 without RIXI read zero; a page that was touched before reads on loong64 and mips64le",
			Unsupported: claim.Where(func(a abi.Table) string {
				if slices.Contains([]string{"loong64", "mips64le", "riscv64"}, a.GOARCH) {
					return ""
				}
				return "whether such memory can be read depends on more than the architecture, see PR-102 and PR-106"
			}),
			Features: []claim.Feature{feature.ExecutableMapping()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				t.Ended("execute")
				o, want := t.Step("execute.mmap"), fault
				if a.GOARCH == "mips64le" && !rixi(t) {
					want = "0"
				}
				expect.OK(g, o)
				equal(g, o, "read", want)
			}),
		},
	}
}

// byPageTable excludes the architectures on which it matters whether a page was touched.
func byPageTable(a abi.Table) string {
	if slices.Contains([]string{"amd64", "arm64", "ppc64le", "riscv64", "s390x"}, a.GOARCH) {
		return ""
	}
	return "a page that was touched before may read where a fresh one does not, see PR-109"
}

// rixi reports whether the CPU is a MIPS one that can keep a page from being read.
func rixi(t claim.Transcript) bool { return t.Step("processor").Value("rixi") == "true" }

// absent reports whether a policy takes a right from plain memory.
func absent(t claim.Transcript, f facts.Facts, right claim.Feature) bool {
	shown := claim.Shows(f, map[string]wire.Transcript{probe: t.Transcript})
	return right.Seen(shown).State == claim.Absent
}

// readsAlike expects that a page reads as its content or faults, and that one with
// MAP_STACK does the same as one without.
func readsAlike(g gomega.Gomega, t claim.Transcript, child string, page page) {
	var answers []string
	for _, kind := range []string{"", "stack."} {
		o := t.Step(child + "." + kind + page.step)
		if page.step == "mprotect" {
			equal(g, o, "filled", ok)
		}
		expect.OK(g, o)
		g.Expect(o.Value("read")).To(gomega.BeElementOf(page.content, fault), "step %s: reading", o.Step)
		answers = append(answers, o.Value("read"))
	}
	if !rixi(t) {
		g.Expect(answers[1]).To(gomega.Equal(answers[0]), "step %s.stack.%s: reading, against memory without MAP_STACK", child, page.step)
	}
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
