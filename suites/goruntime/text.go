package goruntime

import (
	"regexp"
	"strconv"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

const (
	hint  = "runtime: may need to increase max user processes (ulimit -u)\n"
	fatal = "fatal error: newosproc\n"
)

// said is the message of the runtime, taken apart.
type said struct {
	have, errno int
	rest        string // after the first line
}

// saysIn returns the message in a cause's text. It expects the text to begin with
// the message.
func saysIn(g gomega.Gomega, t claim.Transcript, cause string) said {
	bound(t, cause)
	o := t.Step(cause + ".end")
	equal(g, o, "hung", "false")
	first := message()
	text := o.Value("text")
	g.Expect(text).To(gomega.MatchRegexp(first.String()), "what the runtime says in step %s", o.Step)
	m := first.FindStringSubmatch(text)
	have, _ := strconv.Atoi(m[1])
	errno, _ := strconv.Atoi(m[2])
	return said{have, errno, m[3]}
}

// message matches the text of the runtime.
func message() *regexp.Regexp {
	return regexp.MustCompile(`(?s)^runtime: failed to create new OS thread \(have ([0-9]{1,9}) already; errno=([0-9]{1,9})\)\n(.*)$`)
}

// textClaims returns the claims about what the runtime says when clone failed.
func textClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "GR-006", Level: verdict.Should,
			English: "At every limit of processes and threads the Go runtime says exactly: 'runtime: failed to create new OS thread (have N already; errno=E)', with the number of EAGAIN, 'runtime: may need to increase max user processes (ulimit -u)' and 'fatal error: newosproc'.",
			Chinese: "在进程和线程的每种限制处，Go 运行时恰好输出三行：'runtime: failed to create new OS thread (have N already; errno=E)'（E 为 EAGAIN 的数值）、'runtime: may need to increase max user processes (ulimit -u)' 和 'fatal error: newosproc'。",
			Source:  "newosproc in Go's runtime/os_linux.go",
			Needs:   []abi.Feature{abi.GoPort},
			Check: told(expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, cause := range possible(t, append(limits(), "plain", filter(full))...) {
					s := saysIn(g, t, cause)
					g.Expect(s.errno).To(gomega.Equal(a.Errno(full)), "errno in the text of %s", cause)
					g.Expect(s.rest).To(gomega.Equal(hint+fatal), "the other lines of %s", cause)
				}
			})),
		},
		{
			ID: "GR-105", Level: verdict.Should,
			English:  "The number of threads that the Go runtime says it has is not below the number of those that live.",
			Chinese:  "Go 运行时所报的已有线程数不小于存活的线程数。",
			Source:   "newosproc in Go's runtime/os_linux.go; mcount in Go's runtime/proc.go counts threads that are being made as well; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check: told(func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, cause := range possible(t, limits()...) {
					made := watched(t, cause).Int("made")
					g.Expect(saysIn(g, t, cause).have).To(gomega.BeNumerically(">", made), "threads that %s has, after clone made %d", cause, made)
				}
			}),
		},
		{
			ID: "GR-007", Level: verdict.Should,
			English:  "When clone fails otherwise, the Go runtime says the same without the hint at 'ulimit -u'.",
			Chinese:  "clone 因其他错误失败时，Go 运行时的输出相同，但没有 'ulimit -u' 提示行。",
			Source:   "newosproc in Go's runtime/os_linux.go",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Filters()},
			Check: told(func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, name := range refusals()[1:] {
					g.Expect(saysIn(g, t, filter(name)).rest).To(gomega.Equal(fatal), "the other lines of %s", filter(name))
				}
			}),
		},
		{
			ID: "IN-006", Level: verdict.Should,
			English:  "Whatever error clone is refused with, EAGAIN, ENOMEM, EPERM, EINVAL, ENOSYS or EOPNOTSUPP, the Go runtime says its number of this architecture.",
			Chinese:  "无论 clone 以 EAGAIN、ENOMEM、EPERM、EINVAL、ENOSYS 还是 EOPNOTSUPP 被拒绝，Go 运行时都给出其在本架构上的数值。",
			Source:   "newosproc in Go's runtime/os_linux.go; SECCOMP_RET_ERRNO in kernel/seccomp.c; arch/*/include/uapi/asm/errno.h; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Filters()},
			Check: told(expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, name := range refusals() {
					g.Expect(saysIn(g, t, filter(name)).errno).To(gomega.Equal(a.Errno(name)), "errno in the text of %s", filter(name))
				}
			})),
		},
		{
			ID: "GR-011", Level: verdict.Should,
			English:  "The errno that the Go runtime says is the one that the kernel gave it.",
			Chinese:  "Go 运行时给出的 errno 就是内核返回给它的数值。",
			Source:   "newosproc in Go's runtime/os_linux.go; runtime.clone in sys_linux_*.s; on alpha and sw64 EAGAIN is 35, and 11 is EDEADLK",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check: told(func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				causes := limits()
				for _, name := range refusals() {
					causes = append(causes, filter(name))
				}
				for _, cause := range possible(t, causes...) {
					g.Expect(saysIn(g, t, cause).errno).To(gomega.Equal(watched(t, cause).Errno), "errno in the text of %s", cause)
				}
			}),
		},
		{
			ID: "GR-008", Level: verdict.Should,
			English: "A Go program that gets no thread ends at once with status 2; recover and SetPanicOnFault do not help.",
			Chinese: "得不到线程的 Go 程序立即以状态 2 终止，recover 和 SetPanicOnFault 都无济于事。",
			Source:  "throw in Go's runtime/panic.go; every goroutine of the program defers a recover",
			Needs:   []abi.Feature{abi.GoPort},
			Check: told(func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				causes := append(limits(), "plain")
				for _, name := range refusals() {
					causes = append(causes, filter(name))
				}
				for _, cause := range possible(t, causes...) {
					bound(t, cause)
					o := t.Step(cause + ".end")
					equal(g, o, "hung", "false")
					g.Expect(o.Has("signal")).To(gomega.BeFalse(), "a signal ended step %s", o.Step)
					equal(g, o, "exit", "2")
					g.Expect(o.Value("text")).NotTo(gomega.ContainSubstring("recovered"), "what step %s says", o.Step)
				}
			}),
		},
	}
}

// memoryClaims returns the claims about failures that look like a lack of threads
// and are a lack of memory.
func memoryClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "GR-106", Level: verdict.Should,
			English: "A Go program that gets no memory for a thread, by RLIMIT_AS or vm.max_map_count, does not say 'failed to create new OS thread': it speaks of memory, or lives.",
			Chinese: "因 RLIMIT_AS 或 vm.max_map_count 而得不到线程所需内存的 Go 程序不会报 'failed to create new OS thread'：它报告内存不足，或继续运行。",
			Source:  "sysMap and sysReserve in Go's runtime; observed on 5.10 to 7.3: it says 'out of memory' or 'cannot allocate memory', and may hang after it said so",
			Finding: "go-may-hang-after-it-said-out-of-memory",
			Needs:   []abi.Feature{abi.GoPort},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, cause := range possible(t, "as", "max_map_count") {
					bound(t, cause)
					o := t.Step(cause + ".end")
					text := o.Value("text")
					if text == "" && o.Has("exit") && o.Value("exit") == "0" {
						g.Expect(t.Step(cause+".up").Int("started")).To(gomega.BeNumerically(">", 0), "threads of step %s", cause+".up")
						continue
					}
					g.Expect(text).To(gomega.MatchRegexp(`memory|cannot map pages`), "what step %s says", o.Step)
					g.Expect(text).NotTo(gomega.ContainSubstring("newosproc"), "what step %s says", o.Step)
				}
			},
		},
		{
			ID: "GR-107", Level: verdict.Should,
			English:  "A Go program that fills its control group's memory with threads is killed, and says nothing.",
			Chinese:  "以线程耗尽控制组内存的 Go 程序被直接杀死，不给出任何信息。",
			Source:   "mem_cgroup_out_of_memory in mm/memcontrol.c; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Grouped("memory")},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				bound(t, "memory")
				o := t.Step("memory.end")
				equal(g, o, "hung", "false")
				g.Expect(o.Has("signal")).To(gomega.BeTrue(), "a signal ended step %s", o.Step)
				equal(g, o, "signal", "killed")
				equal(g, o, "text", "")
				g.Expect(t.Step("memory.events").Int("limited.oom_kill")).To(gomega.BeNumerically(">", 0), "programs that the group's limit killed")
			},
		},
	}
}
