package mmapabi

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// written is the byte that the probe writes through /proc/self/mem.
const written = "90"

// noOp is why plain memory is the control of memory with MAP_STACK.
const noOp = "mmap(2), MAP_STACK: this flag is currently a no-op on Linux; "

// alikeClaims are about what is done to plain memory and to memory with MAP_STACK.
func alikeClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "MF-120", Level: verdict.Must,
			English:  "MADV_DONTFORK keeps a page with MAP_STACK from a child made by fork, as one without, and the parent keeps what it holds.",
			Chinese:  "MADV_DONTFORK 使带 MAP_STACK 的页与不带的页一样不会出现在 fork 产生的子进程中，父进程保留其内容。",
			Source:   noOp + "madvise(2): MADV_DONTFORK, do not make the pages in this range available to the child after a fork(2)",
			UserMode: claim.HostMemory,
			Features: []claim.Feature{feature.Forked(probe, "dontfork plain")},
			Check: both("dontfork", func(g gomega.Gomega, o claim.Observation) {
				expect.OK(g, o)
				rows(g, o, "has none", "child")
				rows(g, o, stored, "kept")
			}),
		},
		{
			ID: "MF-121", Level: verdict.Must,
			English:  "After MADV_FREE a page with MAP_STACK holds what it held or zero, as one without, and can be written.",
			Chinese:  "MADV_FREE 之后，带 MAP_STACK 的页与不带的页一样，内容为原有内容或零，且可以写入。",
			Source:   noOp + "madvise(2): MADV_FREE, subsequent writes to pages in the range will succeed; until then the old content is there, or zero-fill pages",
			Features: []claim.Feature{feature.FreeLater()},
			UserMode: claim.HostMemory,
			Check: both("free", func(g gomega.Gomega, o claim.Observation) {
				expect.OK(g, o)
				g.Expect(o.Value("byte")).To(gomega.BeElementOf(stored, "0"), "step %s: what the page holds", o.Step)
				rows(g, o, ok, "store")
			}),
		},
		{
			ID: "MF-122", Level: verdict.Must,
			English:  "/proc/self/mem reads and writes a page with MAP_STACK as one without.",
			Chinese:  "/proc/self/mem 对带 MAP_STACK 的页与不带的页一样可读可写。",
			Source:   noOp + "proc(5): /proc/pid/mem can be used to access the pages of a process's memory through open(2), read(2), and lseek(2)",
			UserMode: claim.HostMemory,
			Check: both("mem", func(g gomega.Gomega, o claim.Observation) {
				rows(g, o, stored, "read")
				rows(g, o, ok, "write")
				rows(g, o, written, "after")
			}),
		},
		{
			ID: "MF-123", Level: verdict.Must,
			English:  "A name that PR_SET_VMA_ANON_NAME gives to memory with MAP_STACK is shown by maps, as that of memory without.",
			Chinese:  "以 PR_SET_VMA_ANON_NAME 给带 MAP_STACK 的内存命名后，maps 显示该名称，与不带时相同。",
			Source:   noOp + "PR_SET_VMA(2const): PR_SET_VMA_ANON_NAME; proc_pid_maps(5): [anon:name]",
			Features: []claim.Feature{feature.MemoryNames(probe, "named plain")},
			UserMode: claim.HostMaps,
			Check: both("named", func(g gomega.Gomega, o claim.Observation) {
				expect.OK(g, o)
				rows(g, o, "[anon:mapstack]", "name")
			}),
		},
	}
}

// both makes a check of what was done to plain memory and to memory with MAP_STACK.
func both(step string, check func(g gomega.Gomega, o claim.Observation)) func(gomega.Gomega, claim.Transcript, facts.Facts) {
	return func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
		for _, kind := range []string{" plain", " stack"} {
			o := t.Step(step + kind)
			rows(g, o, ok, "stored")
			check(g, o)
		}
	}
}
