package goruntime

import (
	"fmt"
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// variants is the probe that runs each runtime variant on the kernel as it is, and
// under injected defects.
const variants = "variants"

const (
	asItIs   = "none"
	readOnly = "stack-read-only"
	noMemory = "stack-enomem"
)

// refusal is a defect that refuses MAP_STACK, and its error.
type refusal struct{ defect, errno string }

// unsupported returns the defects that refuse MAP_STACK as unknown or forbidden.
func unsupported() []refusal {
	return []refusal{{"stack-eperm", "EPERM"}, {"stack-einval", "EINVAL"}, {"stack-eopnotsupp", "EOPNOTSUPP"}}
}

// threads is the number of threads that the programs start, without the runtime's
// own.
const threads = 40

// fewThreads is their number under a defect, which is the same for each of them.
const fewThreads = 16

// injection is the exit status of the injector when nothing was injected.
const injection = "70"

// variantClaims returns the claims about runtimes that use MAP_STACK.
func variantClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "GR-110", Level: verdict.Must,
			English:      "A Go runtime that maps the stack of every thread with MAP_STACK, and a guard below it, works: 40 threads stand on mappings of their own.",
			Chinese:      "以 MAP_STACK 映射每个线程的栈并在其下设保护页的 Go 运行时可正常工作：40 个线程各自使用独立的映射。",
			Source:       "mmap(2): MAP_STACK is currently a no-op on Linux, used in the glibc threading implementation; mprotect(2): PROT_NONE, the memory cannot be accessed at all; the runtime is made from Go's own source (harness/guest/runtimevariant, strict); see MS-001 and MS-002; observed on 4.19 and 5.10 to 7.3",
			Needs:        []abi.Feature{abi.GoPort},
			Features:     []claim.Feature{feature.Standing()},
			Probe:        variants,
			UserMode:     claim.HostMaps,
			Uninjectable: injectsItself,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				stands(g, t, asItIs+".strict", true)
				stands(g, t, asItIs+".fallback", true)
			},
		},
		{
			ID: "IN-001", Level: verdict.Must,
			English: "A detector that maps a page with MAP_STACK, reads its protection and has the kernel write to it says that MAP_STACK can be used.",
			Chinese: "探测器以 MAP_STACK 映射一页、读取其保护属性并让内核写入该页，得出 MAP_STACK 可用的结论。",
			Source:  "mmap(2): MAP_STACK is currently a no-op on Linux, and PROT_WRITE, pages may be written; proc(5): the permissions in /proc/PID/maps; poc/stackprobe; see MS-001 and MS-002; observed on 4.19 and 5.10 to 7.3",
			// It needs no GoPort: the detector asks the kernel alone.
			Probe:        variants,
			UserMode:     claim.HostMaps,
			Uninjectable: injectsItself,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				ended(g, t, asItIs+".detector", "0")
				equal(g, t.Step(asItIs+".detector.detect"), "answer", "yes")
			},
		},
		{
			ID: "IN-008", Level: verdict.Should,
			English:  "The stock Go runtime, which never gives MAP_STACK, makes threads on its heap under every defect of the flag.",
			Chinese:  "从不使用 MAP_STACK 的原版 Go 运行时，在该标志的任何缺陷下都能在堆上创建线程。",
			Source:   "the control of the injection: what is not under test works; Go's runtime/mem_linux.go never gives MAP_STACK, see GR-003; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Injection(), feature.Standing()},
			Probe:    variants,
			UserMode: claim.HostMaps,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				for _, defect := range defects() {
					stands(g, t, defect+".stock", false)
				}
			},
		},
		{
			ID: "GR-111", Level: verdict.Should,
			English:  "Where MAP_STACK is refused, a runtime that insists on it ends with status 2 and says 'failed to create new OS thread' with the error of mmap.",
			Chinese:  "在 MAP_STACK 被拒绝之处，坚持使用它的运行时以状态 2 终止，并输出带有 mmap 错误号的 'failed to create new OS thread'。",
			Source:   "harness/guest/runtimevariant, strict; the defects stack-eperm, stack-einval, stack-eopnotsupp and stack-enomem of poc/defect; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Injection()},
			Probe:    variants,
			UserMode: claim.NoInjection,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, r := range unsupported() {
					dies(g, t, r.defect+".strict", a, r.errno)
				}
				dies(g, t, noMemory+".strict", a, "ENOMEM")
			}),
		},
		{
			ID: "GR-112", Level: verdict.Should,
			English:  "Where MAP_STACK silently takes PROT_WRITE away, a runtime that insists on it dies of SIGSEGV.",
			Chinese:  "在 MAP_STACK 悄然去掉 PROT_WRITE 之处，坚持使用它的运行时因 SIGSEGV 而死。",
			Source:   "harness/guest/runtimevariant, strict; the defect stack-read-only of poc/defect; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Injection()},
			Probe:    variants,
			UserMode: claim.NoInjection,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := ended(g, t, readOnly+".strict", "2")
				g.Expect(o.Value("stderr")).To(gomega.ContainSubstring("SIGSEGV"), "what step %s says", o.Step)
			},
		},
		{
			ID: "IN-002", Level: verdict.Should,
			English:  "Where MAP_STACK is refused with EPERM, EINVAL or EOPNOTSUPP, a runtime that asks before takes its threads' stacks from the heap, and they start.",
			Chinese:  "在 MAP_STACK 以 EPERM、EINVAL 或 EOPNOTSUPP 被拒绝之处，事先探测的运行时改从堆中取得线程栈，线程照常启动。",
			Source:   "harness/guest/runtimevariant, fallback; poc/stackfallback; the defects stack-eperm, stack-einval and stack-eopnotsupp of poc/defect; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Injection(), feature.Standing()},
			Probe:    variants,
			UserMode: claim.NoInjection,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, r := range unsupported() {
					stands(g, t, r.defect+".fallback", false)
					detects(g, t, r.defect, "refused")
					expect.Errno(g, a, t.Step(r.defect+".detector.detect.stack"), r.errno)
				}
			}),
		},
		{
			ID: "IN-003", Level: verdict.Should,
			English:  "Where MAP_STACK silently takes PROT_WRITE away, a runtime that asks before notices it without a signal, and its threads start on the heap; mprotect gives the page back its PROT_WRITE.",
			Chinese:  "在 MAP_STACK 悄然去掉 PROT_WRITE 之处，事先探测的运行时无需信号即可发现，其线程在堆上启动；mprotect 可恢复该页的 PROT_WRITE。",
			Source:   "harness/guest/runtimevariant, fallback; poc/stackfallback; the defect stack-read-only of poc/defect; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Injection(), feature.Standing()},
			Probe:    variants,
			UserMode: claim.NoInjection,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				stands(g, t, readOnly+".fallback", false)
				detects(g, t, readOnly, "read-only")
				g.Expect(t.Step(readOnly+".detector.detect.stack").Value("perms")).To(gomega.Equal("r--p"), "what the injector left of the page")
				o := t.Step(readOnly + ".detector.detect.stack mended")
				equal(g, o, "perms", "rw-p")
				equal(g, o, "write", "ok")
			},
		},
		{
			ID: "IN-004", Level: verdict.Should,
			English:  "ENOMEM on MAP_STACK is not taken for lack of support: a runtime that asks before ends with that error, and hides it behind no other kind of stack.",
			Chinese:  "MAP_STACK 返回 ENOMEM 不被当作不支持：事先探测的运行时以该错误终止，而不以其他栈掩盖它。",
			Source:   "harness/guest/runtimevariant, fallback; poc/stackfallback; the defect stack-enomem of poc/defect; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Injection()},
			Probe:    variants,
			UserMode: claim.NoInjection,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				dies(g, t, noMemory+".fallback", a, "ENOMEM")
				ended(g, t, noMemory+".detector", "0")
				equal(g, t.Step(noMemory+".detector.detect"), "answer", "could not tell")
				dies(g, t, noMemory+".detector.fallback", a, "ENOMEM")
			}),
		},
	}
}

// flagClaims returns the claims about the calls of those runtimes, as a tracer sees
// them.
func flagClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "IN-005", Level: verdict.Should,
			English:  "A runtime that uses MAP_STACK gives mmap this architecture's number of it, for every thread, and no other flag that the stock runtime does not give.",
			Chinese:  "使用 MAP_STACK 的运行时对每个线程都以本架构的数值传给 mmap，且不使用原版运行时不用的其他标志。",
			Source:   "arch/*/include/uapi/asm/mman.h: 0x20000 is MAP_NONBLOCK on mips, MAP_POPULATE on alpha and sw64; mmap's words in the tracer's log; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				private := a.Map.Private | a.Map.Anonymous
				for _, variant := range []string{"strict", "fallback"} {
					o := traced(t, variant, "mmap")
					var words []string
					for _, word := range []uint64{private, private | a.Map.Fixed, private | a.Map.Stack, private | a.Map.Stack | a.Map.Fixed} {
						words = append(words, fmt.Sprintf("%#x", word))
					}
					g.Expect(o.Words("flags")).To(gomega.ConsistOf(words), "flags of step %s", o.Step)
					g.Expect(o.Int("marked")).To(gomega.BeNumerically(">=", traced(t, variant, "clone").Int("threads")), "calls of mmap with MAP_STACK in step %s", o.Step)
				}
			}),
		},
	}
}

func defects() []string {
	return []string{asItIs, "stack-eperm", "stack-einval", "stack-eopnotsupp", noMemory, readOnly}
}

// ended returns the end of a program and expects its exit status. It stops the
// check if the program's injector injected nothing.
func ended(g gomega.Gomega, t claim.Transcript, step, status string) claim.Observation {
	o := t.Step(step)
	if o.Has("exit") && o.Value("exit") == injection {
		panic(claim.Missing{Probe: variants, Step: step, Value: "exit", Reason: "nothing was injected: " + o.Value("stderr")})
	}
	equal(g, o, "timedout", "false")
	g.Expect(o.Has("signal")).To(gomega.BeFalse(), "a signal ended step %s", o.Step)
	g.Expect(o.Value("exit")).To(gomega.Equal(status), "exit of step %s, which said %q", o.Step, o.Value("stderr"))
	return o
}

// stands expects that a program's threads start: each on a mapping of its own with
// a guard (mapped), or all on the heap.
func stands(g gomega.Gomega, t claim.Transcript, step string, mapped bool) {
	ended(g, t, step, "0")
	o := t.Step(step + ".generation 0")
	found := o.Int("found")
	started := threads
	if !strings.HasPrefix(step, asItIs+".") {
		started = fewThreads
	}
	g.Expect(found).To(gomega.BeNumerically(">=", started), "threads of step %s whose stack was found", step)
	if !mapped {
		g.Expect(o.Int("mappings")).To(gomega.BeNumerically("<", found/4), "mappings that the threads of step %s stand on", step)
		return
	}
	g.Expect(o.Int("mappings")).To(gomega.Equal(found), "mappings that the threads of step %s stand on", step)
	g.Expect(o.Int("guarded")).To(gomega.Equal(found), "threads of step %s with a guard", step)
}

// dies expects that a program ends because its runtime got no stack.
func dies(g gomega.Gomega, t claim.Transcript, step string, a abi.Table, name string) {
	o := ended(g, t, step, "2")
	text := o.Value("stderr")
	g.Expect(text).To(gomega.HavePrefix("runtime: failed to create new OS thread (have "), "what step %s says", step)
	g.Expect(strings.SplitAfter(text, "\n")[0]).To(gomega.HaveSuffix(fmt.Sprintf(" already; errno=%d)\n", a.Errno(name))), "what step %s says", step)
	g.Expect(text).To(gomega.ContainSubstring(fatal), "what step %s says", step)
}

// detects expects that the detector answers "no" with a finding.
func detects(g gomega.Gomega, t claim.Transcript, defect, finding string) {
	o := t.Step(defect + ".detector.detect")
	equal(g, o, "answer", "no")
	equal(g, o, "finding", finding)
	ended(g, t, defect+".detector.fallback", "0")
	g.Expect(t.Step(defect+".detector.fallback.threads").Int("up")).To(gomega.BeNumerically(">=", fewThreads), "threads of the fallback under %s", defect)
}
