// Package protection claims what memory protections do where CPUs and kernels
// differ, and that no security module looks at MAP_STACK. The protections of
// thread stacks are in mapstack.
package protection

import (
	"fmt"
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// probe is the probe that all claims of this suite read but one.
const probe = "protection"

// zeropage is the probe that may be the end of its guest.
const zeropage = "zeropage"

// Suite returns the claims. A SHOULD is what no manual promises.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "protection", Prefix: "PR", Probe: probe,
		About: claim.Text{
			English: "Protections in which CPUs and kernels differ, and security modules, none of which looks at MAP_STACK.",
			Chinese: "因 CPU 和内核而异的保护属性，以及安全模块（均不检查 MAP_STACK）。",
		},
	}.Join(singleClaims(), bitClaims(), moduleClaims(), sharedClaims())
}

func sharedClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "PR-107", Level: verdict.Must,
			English: "A page that was only read stays the page of zeroes that all programs share when mprotect lets it be written: it is not counted as the program's own.",
			Chinese: "只被读过的页在 mprotect 使其可写之后仍是所有程序共享的零页：不计为该程序自己的页。",
			Source:  "pte_modify must keep pte_special, for vm_normal_page in mm/memory.c. Linux on MIPS up to 6.1 loses it (_PAGE_CHG_MASK in arch/mips/include/asm/pgtable-bits.h), frees the shared page at the first write or unmap, and any program can so end the machine; right in 6.12",
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

// missing stops a check: what was seen says nothing about the claim.
func missing(step, value, format string, args ...any) {
	panic(claim.Missing{Probe: probe, Step: step, Value: value, Reason: fmt.Sprintf(format, args...)})
}

// equal expects a value as text.
func equal(g gomega.Gomega, o claim.Observation, key, want string) {
	g.Expect(o.Value(key)).To(gomega.Equal(want), "step %s: %s of %s", o.Step, key, o.Call)
}

// The answers of an access.
const (
	ok      = "ok"
	fault   = "fault"
	stored  = "165" // the byte that the probe writes where it writes one
	invalid = "EINVAL"
)

// page is a step and what its page holds.
type page struct{ step, content string }

// executable are the pages with PROT_EXEC alone: a fresh one, and one that was
// written before.
func executable() []page { return []page{{"execute.mmap", "0"}, {"execute.mprotect", stored}} }

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

func bitClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "PR-008", Level: verdict.Must,
			English: "mprotect refuses every protection bit that the architecture does not define with EINVAL, and the protection stays as it was.",
			Chinese: "mprotect 以 EINVAL 拒绝本架构未定义的每个保护位，原有的保护保持不变。",
			Source:  "arch_validate_prot in include/linux/mman.h and arch/*/include/asm/mman.h; mprotect(2)",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step("unknown bits in mprotect")
				for _, bit := range unknown(o, a) {
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
				for _, bit := range unknown(o, a) {
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
			English: "The architecture's PROT_SEM is accepted by mmap and mprotect and changes nothing.",
			Chinese: "本架构的 PROT_SEM 被 mmap 和 mprotect 接受，且不改变任何东西。",
			Source:  "arch_validate_prot in include/linux/mman.h; 0x10 on mips, 0x8 elsewhere; observed on 5.10 to 7.3",
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, step := range []string{"sem in mmap", "sem in mprotect"} {
					o := t.Step(step)
					expect.OK(g, o)
					equal(g, o, "perms", "rw-p")
					equal(g, o, "store", ok)
				}
			}),
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

// unknown lists the bits of a table in the order of their numbers. A table that
// lacks one of them decides nothing.
func unknown(o claim.Observation, a abi.Table) []string {
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

// kept expects a page to be readable and writable after a call about a bit. Had
// mprotect done as it was asked, but for the bit, it could only be read.
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

// checkAllowed expects each protection to be granted, plain and as a stack.
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
