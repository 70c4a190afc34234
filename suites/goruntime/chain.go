package goruntime

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// chainClaims returns the claims about the calls of a Go program that makes
// threads, as a tracer sees them.
func chainClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "GR-003", Level: verdict.Should,
			English:  "The Go runtime maps memory with MAP_PRIVATE|MAP_ANONYMOUS, with MAP_FIXED or without, and with no other flag: never with MAP_STACK.",
			Chinese:  "Go 运行时只用 MAP_PRIVATE|MAP_ANONYMOUS（带或不带 MAP_FIXED）映射内存，不用其他标志，从不使用 MAP_STACK。",
			Source:   "Go's runtime/mem_linux.go; MAP_STACK stands in os_openbsd.go only",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := traced(t, "chain", "mmap")
				private := a.Map.Private | a.Map.Anonymous
				g.Expect(o.Int("marked")).To(gomega.BeZero(), "calls of mmap with MAP_STACK")
				equal(g, o, "flags", fmt.Sprintf("%#x %#x", private, private|a.Map.Fixed))
			}),
		},
		{
			ID: "GR-004", Level: verdict.Should,
			English:  "The Go runtime makes every thread by clone, never by clone3, with CLONE_VM|FS|FILES|SIGHAND|SYSVSEM|THREAD, and on amd64 CLONE_SETTLS.",
			Chinese:  "Go 运行时总是用 clone（从不用 clone3）创建线程，标志为 CLONE_VM|FS|FILES|SIGHAND|SYSVSEM|THREAD，在 amd64 上另加 CLONE_SETTLS。",
			Source:   "cloneFlags in Go's runtime/os_linux.go; runtime.clone in sys_linux_amd64.s",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := traced(t, "chain", "clone")
				equal(g, o, "flags", fmt.Sprintf("%#x", a.GoThread))
				g.Expect(o.Int("threads")).To(gomega.BeNumerically(">=", t.Step("chain.up").Int("started")), "threads that were made by clone")
				g.Expect(t.Step("chain.clone3").Int("calls")).To(gomega.BeZero(), "calls of clone3")
			}),
		},
		{
			ID: "GR-005", Level: verdict.Should,
			English:  "A thread is made through runtime.newm, newm1, newosproc and clone, and begins in mstart.",
			Chinese:  "线程经由 runtime.newm、newm1、newosproc 和 clone 创建，并从 mstart 开始运行。",
			Source:   "Go's runtime/proc.go and os_linux.go; on the stack of the thread that stands at the call, by the program's own symbols and table of functions",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check:    checkFrames,
		},
		{
			ID: "GR-018", Level: verdict.Should,
			English:  "The Go runtime blocks every signal that can be blocked while it makes a thread.",
			Chinese:  "Go 运行时在创建线程期间阻塞所有可阻塞的信号。",
			Source:   "newosproc in Go's runtime/os_linux.go; SigBlk of /proc/PID/status at the clone: all but SIGKILL and SIGSTOP",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := traced(t, "chain", "clone")
				g.Expect(o.Words("open")).To(gomega.ContainElement("9"), "signals that are not blocked")
				g.Expect(o.Words("open")).To(gomega.HaveLen(2), "signals that are not blocked")
			},
		},
		{
			ID: "GR-108", Level: verdict.Should,
			English: "In the traceback of the fatal error, newm1 calls newosproc, which throws.",
			Chinese: "在该致命错误的回溯中，newm1 调用 newosproc，由后者抛出错误。",
			Source:  "newm1 in Go's runtime/proc.go and newosproc in os_linux.go; the runtime's own traceback, on every architecture; observed on 5.10 to 7.3",
			Needs:   []abi.Feature{abi.GoPort},
			Check: told(func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, cause := range []string{"nproc", "plain"} {
					bound(t, cause)
					o := t.Step(cause + ".end")
					g.Expect(o.Value("frames")+" ").To(gomega.HavePrefix("runtime.throw runtime.newosproc runtime.newm1 "), "functions of step %s", o.Step)
				}
			}),
		},
		{
			ID: "GR-113", Level: verdict.Should,
			English:  "The stack that a thread begins on lies in memory of the Go heap, beside other threads' stacks, without a guard.",
			Chinese:  "线程起始所用的栈位于 Go 堆内存中，与其他线程的栈相邻，没有保护页。",
			Source:   "malg in Go's runtime/proc.go; observed on 5.10 to 7.3; glibc (nptl/allocatestack.c) and musl (src/thread/pthread_create.c) map each stack and guard it with PROT_NONE",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := traced(t, "chain", "clone")
				g.Expect(o.Int("stacks")).To(gomega.Equal(o.Int("threads")), "stacks of threads")
				g.Expect(o.Int("outside")).To(gomega.BeZero(), "stacks outside what the program mapped")
				g.Expect(o.Int("unwritable")).To(gomega.BeZero(), "stacks in memory that was mapped without PROT_WRITE")
				g.Expect(o.Int("mappings")).To(gomega.BeNumerically("<", o.Int("stacks")), "mappings that the stacks lie in")
				g.Expect(traced(t, "chain", "mprotect").Words("prots")).NotTo(gomega.ContainElement("0x0"), "protections that mprotect gives")
			},
		},
	}
}

// traced returns a step of a traced program. It stops the check unless the program
// ran to its end.
func traced(t claim.Transcript, program, step string) claim.Observation {
	attended(t, program)
	if end := t.Step(program + ".end"); end.Value("exit") != "0" {
		panic(claim.Missing{Probe: probe, Step: end.Step, Value: "exit", Reason: "the traced program ended with " + end.Value("exit")})
	}
	return t.Step(program + "." + step)
}

// checkFrames expects the functions in their order. What stands between them, such
// as a closure or the runtime's retries, differs between releases.
func checkFrames(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
	cloning, started := traced(t, "chain", "cloning"), traced(t, "chain", "started")
	makes := []string{"runtime.clone", "runtime.newosproc", "runtime.newm1", "runtime.newm"}
	begins := []string{"runtime.sigaltstack", "runtime.minit", "runtime.mstart1", "runtime.mstart"}
	g.Expect(among(plain(cloning.Words("frames")), makes)).To(gomega.Equal(makes), "functions of step %s, of %q", cloning.Step, cloning.Value("frames"))
	g.Expect(among(plain(started.Words("frames")), begins)).To(gomega.Equal(begins), "functions of step %s, of %q", started.Step, started.Value("frames"))
}

// plain returns the frames with each closure named after its function.
func plain(frames []string) []string {
	names := make([]string, 0, len(frames))
	for _, name := range frames {
		if i := strings.Index(name, ".func"); i > 0 {
			name = name[:i]
		}
		names = append(names, name)
	}
	return names
}

// among returns those of the wanted functions that are in the frames, in the order
// of the frames, each once.
func among(frames, wanted []string) (found []string) {
	for _, name := range frames {
		if slices.Contains(wanted, name) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}
