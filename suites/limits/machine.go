package limits

import (
	"strconv"
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

func threadsMaxClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "LM-005", Level: verdict.Should,
			English: "By default RLIMIT_NPROC is half of kernel.threads-max.",
			Chinese: "RLIMIT_NPROC 的默认值是 kernel.threads-max 的一半。",
			Source:  "fork_init in kernel/fork.c; SHOULD because whoever starts the probe may set another",
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("defaults")
				count(g, o, "nproc", o.Int("threads-max")/2)
				count(g, o, "nproc.max", o.Int("threads-max")/2)
			},
		},
		{
			ID: "LM-105", Level: verdict.Should,
			English: "By default kernel.threads-max lets the stacks of all threads, of 16 to 64 KiB each, take an eighth of memory.",
			Chinese: "kernel.threads-max 的默认值使所有线程的内核栈（每个 16 至 64 KiB）占用内存的八分之一。",
			Source:  "Documentation/admin-guide/sysctl/kernel.rst, threads-max; set_max_threads in kernel/fork.c; observed: a thread for each 132 to 163 KiB, on ppc64le 7.2 for each 247",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := t.Step("defaults")
				// MemTotal leaves out the memory of the kernel itself, which counts
				// when the kernel sets the limit. One eighth more is plenty.
				memory := o.Int("memtotal") * 9 / 8
				// THREAD_SIZE of the architectures in poc/abi is from 16 KiB to 32, or a page
				// if that is larger. A kernel that checks its memory doubles it.
				const smallest = 16
				largest := 2 * max(32, f.PageSize>>10)
				least := min(max(20, o.Int("memtotal")/8/largest), 0x3fffffff) // MIN_THREADS, FUTEX_TID_MASK
				g.Expect(o.Int("threads-max")).To(gomega.And(
					gomega.BeNumerically(">=", least),
					gomega.BeNumerically("<=", max(20, memory/8/smallest))), "kernel.threads-max in %d KiB", o.Int("memtotal"))
			},
		},
		{
			ID: "LM-006", Level: verdict.Must,
			English:  "The machine can have exactly as many threads as kernel.threads-max says, and clone refuses the next one with EAGAIN, root included.",
			Chinese:  "全系统线程数恰好可以达到 kernel.threads-max，clone 以 EAGAIN 拒绝再多一个，对 root 也是如此。",
			Source:   "fork(2), ERRORS: EAGAIN at the system-wide limit on the number of processes and threads, /proc/sys/kernel/threads-max; proc(5): /proc/loadavg shows the scheduling entities that exist; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("kernel.threads-max", "threadsmax"), feature.QuietMoment()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := t.Step("threadsmax.refused")
				errno(g, f, o, full)
				count(g, o, "made", o.Int("max")-o.Int("before"))
				count(g, o, "after", o.Int("max"))
			},
		},
		{
			ID: "LM-106", Level: verdict.Must,
			English:  "kernel.threads-max accepts its least value, after which nobody can clone, and rejects 0 with EINVAL.",
			Chinese:  "kernel.threads-max 接受其最小值（此后谁也不能 clone），以 EINVAL 拒绝 0。",
			Source:   "Documentation/admin-guide/sysctl/kernel.rst, threads-max: the least is 1, or 20 in older kernels, and EINVAL otherwise; observed on 4.19.90 and on 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("kernel.threads-max", "threadsmax")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				errno(g, f, t.Step("threadsmax.zero"), "EINVAL")
				least := "threadsmax.one"
				if o := t.Step(least); !o.OK() {
					errno(g, f, o, "EINVAL")
					least = "threadsmax.twenty"
				}
				expect.OK(g, t.Step(least))
				errno(g, f, t.Step(least+".clone"), full)
			},
		},
		{
			ID: "LM-123", Level: verdict.Should,
			English:  "From 5.4 on (4.19.80, 5.3.6) the least kernel.threads-max is 1.",
			Chinese:  "从 5.4（4.19.80、5.3.6）起 kernel.threads-max 的最小值是 1。",
			Source:   "\"kernel/sysctl.c: do not override max_threads provided by userspace\" (5.4); observed on 4.19.90 and on 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("kernel.threads-max", "threadsmax"), feature.SmallThreadsMax()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				expect.OK(g, t.Step("threadsmax.one"))
			},
		},
		{
			ID: "LM-107", Level: verdict.Must,
			English:  "When one thread of a machine at kernel.threads-max has gone, exactly one clone succeeds again, and any number once the limit is raised.",
			Chinese:  "达到 kernel.threads-max 后，有一个线程消失就恰好可以再成功 clone 一次；提高该限制后即恢复正常。",
			Source:   "fork(2), ERRORS: EAGAIN at /proc/sys/kernel/threads-max, which limits what exists; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("kernel.threads-max", "threadsmax"), feature.QuietMoment()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				recovers(g, t, f, "threadsmax.", full)
				expect.OK(g, t.Step("threadsmax.recovered"))
			},
		},
	}
}

func pidMaxClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "LM-007", Level: verdict.Must,
			English:  "clone gives IDs below kernel.pid_max, and refuses with EAGAIN when none is left, root included.",
			Chinese:  "clone 分配小于 kernel.pid_max 的 ID，用尽后以 EAGAIN 拒绝，对 root 也是如此。",
			Source:   "fork(2), EAGAIN: the limit on process IDs, /proc/sys/kernel/pid_max, was reached; proc_sys_kernel(5)",
			Features: []claim.Feature{feature.WritableSysctl("kernel.pid_max", "pidmax")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "pidmax.set")
				o := t.Step("pidmax.refused")
				errno(g, f, o, full)
				g.Expect(o.Int("made")).To(gomega.BeNumerically(">", 0), "processes made before the first refusal")
				count(g, o, "outside", 0)
			},
		},
		{
			ID: "LM-125", Level: verdict.Should,
			English:  "clone gives IDs until none from 300 on is free, and none below 300 when the count has begun anew.",
			Chinese:  "clone 分配 ID 直到 300 及以上没有空闲；重新开始计数后不再分配小于 300 的 ID。",
			Source:   "alloc_pid in kernel/pid.c: RESERVED_PIDS; SHOULD because no manual page has the number",
			Features: []claim.Feature{feature.WritableSysctl("kernel.pid_max", "pidmax")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "pidmax.set")
				o := t.Step("pidmax.refused")
				errno(g, f, o, full)
				count(g, o, "free", 0)
				if o.Has("reserved") { // an older probe has these in the outside of LM-007
					count(g, o, "reserved", 0)
				}
			},
		},
		{
			ID: "LM-108", Level: verdict.Must,
			English:  "When one process has gone on a machine without a free ID, exactly one clone succeeds again, and it gets that ID.",
			Chinese:  "系统没有空闲 ID 时，有一个进程消失就恰好可以再成功 clone 一次，并获得该 ID。",
			Source:   "fork(2), ERRORS: EAGAIN at the maximum number of PIDs, /proc/sys/kernel/pid_max, which limits what exists; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("kernel.pid_max", "pidmax")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "pidmax.set")
				recovers(g, t, f, "pidmax.", full)
				o := t.Step("pidmax.again")
				g.Expect(o.Result()).To(gomega.Equal(o.Uint("freed")), "the ID of the new process")
				expect.OK(g, t.Step("pidmax.recovered"))
			},
		},
		{
			ID: "LM-109", Level: verdict.Should,
			English:  "The smallest kernel.pid_max is 301 on machines of up to 37 CPUs: 301 is accepted and 300 is EINVAL.",
			Chinese:  "在不超过 37 个 CPU 的机器上，kernel.pid_max 的最小值是 301：接受 301，300 返回 EINVAL。",
			Source:   "pid_max_min in kernel/pid.c: RESERVED_PIDS + 1, or 8 for each possible CPU; SHOULD because no manual page has the numbers; observed on 4.19.90 and on 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("kernel.pid_max", "pidmax")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				errno(g, f, t.Step("pidmax.300"), "EINVAL")
				if possible(t.Step("defaults")) > 37 {
					errno(g, f, t.Step("pidmax.301"), "EINVAL")
					return
				}
				expect.OK(g, t.Step("pidmax.301"))
			},
		},
	}
}

// possible returns the number of CPUs in a list like "0-1" or "0".
func possible(o claim.Observation) int {
	list := o.Value("possible")
	_, last, isRange := strings.Cut(list, "-")
	if !isRange {
		last = list
	}
	n, err := strconv.Atoi(last)
	unless(err != nil, o, "possible", "no range of CPUs from 0")
	return n + 1
}
