package goruntime

import (
	"fmt"
	"go/version"
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
	// tries is the number of attempts after EAGAIN. Between them the runtime sleeps
	// for 1 ms, 2 ms and so on. retries is the first release that tries again
	// (runtime/retry.go; golang/go#49438).
	tries   = 20
	retries = "go1.20"
	// asked is the time from the first attempt to the last, in milliseconds: the
	// sum of the sleeps between them.
	asked = (tries - 1) * tries / 2
)

// retrying reports whether the guest's Go tries again after EAGAIN. A version that
// is no release counts as newer than every release.
func retrying(f facts.Facts) bool {
	return !version.IsValid(f.Go) || version.Compare(f.Go, retries) >= 0
}

// refusalClaims returns the claims about the kernel's answer to the runtime's
// clone, as a tracer sees it.
func refusalClaims() []claim.Claim {
	return []claim.Claim{
		refused("GR-101", []string{"nproc", "threads-max", "pid_max"}, nil, claim.Text{
			English: "The clone by which the Go runtime makes a thread is refused with EAGAIN at RLIMIT_NPROC, at kernel.threads-max and at kernel.pid_max.",
			Chinese: "Go 运行时创建线程的 clone，在达到 RLIMIT_NPROC、kernel.threads-max 以及 kernel.pid_max 时，均以 EAGAIN 被拒绝。",
		}, "clone(2) and fork(2), ERRORS: EAGAIN at RLIMIT_NPROC, /proc/sys/kernel/threads-max and /proc/sys/kernel/pid_max; the limits of LM-001, LM-006 and LM-007; by the tracer, or by the errno in the runtime's text where the kernel cannot be asked; observed on 4.19 and 5.10 to 7.3"),
		refused("GR-114", []string{"pids", "nested"}, []claim.Feature{feature.Grouped("pids")}, claim.Text{
			English: "The clone by which the Go runtime makes a thread is refused with EAGAIN at pids.max of the control group, and at that of an outer one.",
			Chinese: "Go 运行时创建线程的 clone，在达到所在控制组的 pids.max 或外层组的 pids.max 时，均以 EAGAIN 被拒绝。",
		}, "fork(2), ERRORS: EAGAIN at pids.max; Documentation/admin-guide/cgroup-v2.rst, PID: fork() or clone() returns -EAGAIN; the limits of LM-009 and LM-011; observed on 4.19 and 5.10 to 7.3"),
		recovery("GR-102", []string{"nproc", "threads-max", "pid_max", "max_map_count"}, nil, claim.Text{
			English: "A Go program that got no more threads gets them all when it is run again without the cause, as the same user.",
			Chinese: "因得不到线程而终止的 Go 程序，在原因消除后以同一用户再次运行时，可得到全部线程。",
		}, "setrlimit(2), RLIMIT_NPROC, and proc(5), threads-max, pid_max and max_map_count: each limits what lives, and nothing of the program that died is left; observed on 4.19 and 5.10 to 7.3"),
		recovery("GR-115", []string{"pids", "nested"}, []claim.Feature{feature.Grouped("pids")}, claim.Text{
			English: "A Go program that got no more threads at pids.max, of its control group or an outer one, gets them all when it is run again in the same group without the limit.",
			Chinese: "因达到所在控制组或外层组的 pids.max 而得不到线程的 Go 程序，在取消该限制后于同一控制组中再次运行时，可得到全部线程。",
		}, "Documentation/admin-guide/cgroup-v2.rst, PID: pids.current is the number of processes that are in the group and its descendants; observed on 4.19 and 5.10 to 7.3"),
		recovery("GR-116", []string{"memory"}, []claim.Feature{feature.Grouped("memory")}, claim.Text{
			English: "A Go program that was killed at memory.max of its control group gets all its threads when it is run again in the same group without the limit.",
			Chinese: "因达到控制组的 memory.max 而被杀死的 Go 程序，在取消该限制后于同一控制组中再次运行时，可得到全部线程。",
		}, "Documentation/admin-guide/cgroup-v2.rst, Memory: memory.max limits what the group uses, and a program that died uses nothing; observed on 4.19 and 5.10 to 7.3"),
		{
			ID: "GR-103", Level: verdict.Should,
			English:  "A seccomp filter that refuses clone with CLONE_THREAD gives the Go runtime the number that it was built with.",
			Chinese:  "拒绝带 CLONE_THREAD 的 clone 的 seccomp 过滤器，把其中所定的错误号交给 Go 运行时。",
			Source:   "SECCOMP_RET_ERRNO in kernel/seccomp.c; observed on 5.10 to 7.3; SHOULD because a kernel may have no filters",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Filters(), feature.TracedCalls()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, name := range refusals() {
					expect.Errno(g, a, watched(t, filter(name)), name)
				}
			}),
		},
		{
			ID: "GR-009", Level: verdict.Should,
			English:  "The Go runtime asks for a thread 20 times when the answer is EAGAIN, from Go 1.20 on, and once when it is another error.",
			Chinese:  "自 Go 1.20 起，clone 返回 EAGAIN 时 Go 运行时共尝试 20 次；返回其他错误时只尝试一次。",
			Source:   "retryOnEAGAIN in Go's runtime/retry.go; golang/go#49438; asked once up to 1.19",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check:    told(checkTries),
		},
		{
			ID: "GR-109", Level: verdict.May,
			English:  "Between the first and the last of the 20 attempts 190 ms or more go by, from Go 1.20 on.",
			Chinese:  "自 Go 1.20 起，20 次尝试从第一次到最后一次至少历时 190 毫秒。",
			Source:   "retryOnEAGAIN in Go's runtime/retry.go; a finding of the runtime and never of the kernel, so MAY: runtime.usleep of Go's sys_linux_mips64x.s and sys_linux_mipsx.s passes microseconds for nanoseconds in every release up to 1.26, and the attempts are over before any limit can be raised",
			Finding:  "go-on-mips-pauses-a-thousandth-of-the-time",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check:    told(expect.WithTable(checkPauses)),
		},
		{
			ID: "GR-104", Level: verdict.Should,
			English:  "A Go program goes on when its limit is raised while the runtime still asks for the thread, from Go 1.20 on.",
			Chinese:  "自 Go 1.20 起，若在运行时仍在重试期间提高限制，Go 程序得以继续运行。",
			Source:   "retryOnEAGAIN in Go's runtime/retry.go; golang/go#49438; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check:    told(expect.WithTable(checkLifted)),
		},
		{
			ID: "GR-010", Level: verdict.May,
			English:  "The Go runtime notices that clone failed: the program says so and ends.",
			Chinese:  "Go 运行时能察觉 clone 失败：程序给出信息并终止。",
			Source:   "a finding of the runtime and never of the kernel, so MAY: runtime.clone of Go's sys_linux_riscv64.s stores zero over the error in every release up to 1.26, and the program hangs without a word",
			Finding:  "go-on-riscv64-loses-the-error-of-clone",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.TracedCalls()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				cause := "nproc"
				if t.Step("runtime").Value("mended") == "true" {
					cause = "stock"
				}
				expect.Errno(g, a, watched(t, cause), full)
				o := t.Step(cause + ".end")
				g.Expect(o.Value("hung")).To(gomega.Equal("false"),
					"the kernel refused a thread as it should; that the program hangs is a defect of Go's runtime on %s, not of this kernel. The other claims about what the runtime says are decided with a runtime that was mended", a.GOARCH)
				g.Expect(o.Value("text")).NotTo(gomega.BeEmpty(), "the kernel refused a thread as it should; what the runtime says")
			}),
		},
	}
}

// refused claims that clone answers EAGAIN in some causes.
func refused(id string, causes []string, needs []claim.Feature, text claim.Text, source string) claim.Claim {
	return claim.Claim{
		ID: id, Level: verdict.Must,
		English: text.English, Chinese: text.Chinese, Source: source,
		Needs: []abi.Feature{abi.GoPort}, Features: needs, Uninjectable: tracesItself,
		Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
			for _, cause := range possible(t, causes...) {
				bound(t, cause)
				if o := t.Step(cause + ".clone"); feature.Untraced(o.Observation, "refused") != "" {
					bySaying(g, t, a, cause)
					continue
				}
				expect.Errno(g, a, watched(t, cause), full)
			}
		}),
	}
}

// bySaying expects the same of the program itself, where the kernel cannot be asked for
// its answer: the program must not get all its threads, and the runtime says the errno.
func bySaying(g gomega.Gomega, t claim.Transcript, a abi.Table, cause string) {
	end := t.Step(cause + ".end")
	if end.Has("exit") {
		g.Expect(end.Value("exit")).NotTo(gomega.Equal("0"), "status of step %s: the program got all its threads, although its limit has no room for them", end.Step)
	}
	m := message().FindStringSubmatch(end.Value("text"))
	if m == nil {
		panic(claim.Missing{Probe: probe, Step: end.Step, Value: "text", Reason: fmt.Sprintf("the runtime says no errno: %q", end.Value("text"))})
	}
	g.Expect(m[2]).To(gomega.Equal(strconv.Itoa(a.Errno(full))), "errno in the text of %s", cause)
}

// recovery claims that a program gets its threads when its causes are gone.
func recovery(id string, causes []string, needs []claim.Feature, text claim.Text, source string) claim.Claim {
	return claim.Claim{
		ID: id, Level: verdict.Must,
		English: text.English, Chinese: text.Chinese, Source: source,
		Needs: []abi.Feature{abi.GoPort}, Features: needs, Uninjectable: tracesItself,
		Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
			for _, cause := range possible(t, causes...) {
				recovers(g, t, cause)
			}
		},
	}
}

// recovers expects that the program of a cause runs to its end when the cause is
// gone.
func recovers(g gomega.Gomega, t claim.Transcript, cause string) {
	bound(t, cause)
	end := t.Step(cause + ".again.end")
	equal(g, end, "hung", "false")
	g.Expect(end.Has("signal")).To(gomega.BeFalse(), "a signal ended step %s", end.Step)
	equal(g, end, "exit", "0")
	up := t.Step(cause + ".again.up")
	g.Expect(up.Int("threads")).To(gomega.BeNumerically(">", up.Int("started")), "threads of step %s", up.Step)
}

func checkTries(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	again := 1
	if retrying(f) {
		again = tries
	}
	for _, cause := range possible(t, append(limits(), filter(full))...) {
		o := watched(t, cause)
		g.Expect(o.Int("refused")).To(gomega.Equal(again), "how often one thread was refused in step %s", o.Step)
	}
	var others []string
	for _, name := range refusals()[1:] {
		others = append(others, filter(name))
	}
	for _, cause := range possible(t, others...) {
		o := watched(t, cause)
		g.Expect(o.Int("refused")).To(gomega.Equal(1), "how often one thread was refused in step %s", o.Step)
	}
}

func checkPauses(g gomega.Gomega, t claim.Transcript, a abi.Table, f facts.Facts) {
	for _, cause := range possible(t, append(limits(), filter(full))...) {
		o := watched(t, cause)
		if retrying(f) {
			g.Expect(o.Int("milliseconds")).To(gomega.BeNumerically(">=", asked),
				"milliseconds of step %s; pauses that are too short are a defect of Go's runtime on %s, not of this kernel", o.Step, a.GOARCH)
		}
	}
}

func checkLifted(g gomega.Gomega, t claim.Transcript, a abi.Table, f facts.Facts) {
	o := watched(t, "lifted")
	expect.Errno(g, a, o, full)
	end := t.Step("lifted.end")
	if !retrying(f) {
		equal(g, end, "exit", "2")
		return
	}
	if o.Value("lifted") != "ok" {
		panic(claim.Missing{Probe: probe, Step: o.Step, Value: "lifted", Reason: "the limit could not be raised: " + o.Value("lifted")})
	}
	g.Expect(o.Int("refused")).To(gomega.BeNumerically("<", tries), "how often one thread was refused in step %s", o.Step)
	equal(g, end, "exit", "0")
	up := t.Step("lifted.up")
	g.Expect(up.Int("threads")).To(gomega.BeNumerically(">", up.Int("started")), "threads of step %s", up.Step)
}
