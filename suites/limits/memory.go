package limits

import (
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// noMemory is the error of mmap and mprotect at every limit of memory.
const noMemory = "ENOMEM"

func memoryClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "LM-015", Level: verdict.Must,
			English: "RLIMIT_AS is reached to the page: mappings of any kind, MAP_STACK, MAP_GROWSDOWN and PROT_NONE with MAP_NORESERVE included, are then ENOMEM, until one page is given back.",
			Chinese: "RLIMIT_AS 可精确到页地达到：此后任何映射（包括 MAP_STACK、MAP_GROWSDOWN 以及带 MAP_NORESERVE 的 PROT_NONE）都返回 ENOMEM，直到归还一页。",
			Source:  "getrlimit(2), RLIMIT_AS: rounded down to the system page size, and mmap(2) fails with the error ENOMEM upon exceeding it; observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "as.limit")
				expect.OK(g, t.Step("as.room"))
				refusals(g, t, f, "as.", noMemory, "plain", "stack", "growsdown", "none noreserve", "readonly", "shared")
				successes(g, t, "as.", "again.plain")
			},
		},
		{
			ID: "LM-016", Level: verdict.Must,
			English: "A process at RLIMIT_AS or RLIMIT_DATA can still clone: what fails for a thread is the mapping of its stack.",
			Chinese: "达到 RLIMIT_AS 或 RLIMIT_DATA 的进程仍可 clone：创建线程时失败的是其栈的映射。",
			Source:  "getrlimit(2): RLIMIT_AS and RLIMIT_DATA affect brk(2), mmap(2), mremap(2) and sbrk(2), and no other call; observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "as.limit")
				refusals(g, t, f, "as.", noMemory, "stack")
				expect.OK(g, t.Step("as.clone"))
				prepared(t, "data.limit")
				refusals(g, t, f, "data.", noMemory, "stack")
				expect.OK(g, t.Step("data.clone"))
			},
		},
		{
			ID: "LM-018", Level: verdict.Must,
			English: "RLIMIT_DATA is reached to the page by private writable mappings, MAP_STACK and MAP_NORESERVE included: the next one, or making one writable, is ENOMEM, until one page is given back.",
			Chinese: "私有可写映射（包括 MAP_STACK 和 MAP_NORESERVE）可精确到页地达到 RLIMIT_DATA：此后再建一个或把映射改为可写都返回 ENOMEM，直到归还一页。",
			Source:  "getrlimit(2), RLIMIT_DATA: rounded down to the system page size, and since Linux 4.7 mmap(2) fails with the error ENOMEM upon encountering it; is_data_mapping in mm/mmap.c (mm/vma.h since 6.12) for what counts; observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "data.limit")
				expect.OK(g, t.Step("data.room"))
				refusals(g, t, f, "data.", noMemory, "plain", "stack", "noreserve", "mprotect")
				successes(g, t, "data.", "again.plain")
			},
		},
		{
			ID: "LM-114", Level: verdict.Must,
			English: "RLIMIT_DATA does not count MAP_GROWSDOWN, read-only, PROT_NONE and shared mappings.",
			Chinese: "RLIMIT_DATA 不统计 MAP_GROWSDOWN、只读、PROT_NONE 和共享映射。",
			Source:  "getrlimit(2), RLIMIT_DATA: the data segment, which private writable memory is part of since Linux 4.7; is_data_mapping in mm/mmap.c (mm/vma.h since 6.12); observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "data.limit")
				refusals(g, t, f, "data.", noMemory, "plain")
				successes(g, t, "data.", "growsdown", "readonly", "none", "shared")
			},
		},
		{
			ID: "LM-019", Level: verdict.Must,
			English: "RLIMIT_STACK limits neither mappings with MAP_STACK or MAP_GROWSDOWN, nor clone, nor the number of threads.",
			Chinese: "RLIMIT_STACK 既不限制带 MAP_STACK 或 MAP_GROWSDOWN 的映射，也不限制 clone 和线程数。",
			Source:  "getrlimit(2): RLIMIT_STACK is the maximum size of the process stack, and no limit of mmap(2) and clone(2); observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				prepared(t, "stack.limit")
				successes(g, t, "stack.", "stack", "growsdown", "clone")
				threadsStarted(g, t.Step("stack.threads"))
			},
		},
		{
			ID: "LM-023", Level: verdict.Must,
			English: "Each RLIMIT number of the architecture sets the limit of that name, as /proc/self/limits shows it.",
			Chinese: "本架构的每个 RLIMIT 编号设置的正是该名称的限制，与 /proc/self/limits 所示一致。",
			Source:  "getrlimit(2): each resource; proc(5): /proc/PID/limits; the numbers are in arch/*/include/uapi/asm/resource.h",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				for _, c := range expect.Table(f).Rlimit.Named() {
					if strings.HasPrefix(c.Name, "RLIMIT_") {
						o := t.Step("numbers." + c.Name)
						expect.OK(g, o)
						g.Expect(o.Value("lines")).To(gomega.Equal(line(c.Name)), "what %s set: %s", c.Name, o.Call)
					}
				}
			},
		},
	}
}

// line returns the name of a limit in /proc/self/limits (fs/proc/base.c lnames).
func line(limit string) string {
	return map[string]string{
		"RLIMIT_FSIZE": "Max file size", "RLIMIT_DATA": "Max data size", "RLIMIT_STACK": "Max stack size",
		"RLIMIT_CORE": "Max core file size", "RLIMIT_RSS": "Max resident set", "RLIMIT_NPROC": "Max processes",
		"RLIMIT_NOFILE": "Max open files", "RLIMIT_MEMLOCK": "Max locked memory", "RLIMIT_AS": "Max address space",
	}[limit]
}

// threadsStarted expects that a process has all the threads it started. The
// runtime may reuse some it had.
func threadsStarted(g gomega.Gomega, o claim.Observation) {
	unless(o.Int("before") >= o.Int("started"), o, "before", "as many threads as were to be started were there before")
	g.Expect(o.Int("after")).To(gomega.BeNumerically(">", o.Int("started")), "threads of the process, with the one that started the others")
}
