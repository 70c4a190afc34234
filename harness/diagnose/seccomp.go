package diagnose

import (
	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/poc/trace"
)

// filtered judges a refusal by a seccomp filter. Filters run before the call does,
// so that no limit was reached.
func filtered(e Evidence) (Cause, bool) {
	f, answer := e.Failure, e.Filters.Answer
	if f.Trapped {
		return Cause{
			ID: "seccomp", Certainty: Is, Where: "seccomp", Raise: allow(e.State, e.Filters, f.Call),
			Why: say("a seccomp filter of the program turns this call into SIGSYS (SECCOMP_RET_TRAP), and the program's own handler answers %[1]s; the kernel did not run the call, and no limit was reached",
				"该程序的 seccomp 过滤器把这一调用变为 SIGSYS（SECCOMP_RET_TRAP），程序自身的处理函数返回 %[1]s；内核并未执行该调用，也没有达到任何限制", f.name()).and(whose(e.Filters, e.State)),
		}, true
	}
	if !e.Filters.Read {
		return Cause{}, false
	}
	switch action := answer.Action(); {
	case action == trace.Error && answer.Errno() == f.Errno && f.Errno != 0:
		return Cause{
			ID: "seccomp", Certainty: Is, Where: "seccomp",
			Why: say("a seccomp filter of the program answers %[1]s to this call before the kernel runs it; no limit was reached",
				"该程序的 seccomp 过滤器对这一调用直接返回 %[1]s，内核并未执行该调用，也没有达到任何限制", f.Name).and(whose(e.Filters, e.State)),
			Raise: allow(e.State, e.Filters, f.Call),
		}, true
	case action == trace.Ask || action == trace.Stop:
		return Cause{
			ID: "seccomp-supervisor", Certainty: MayBe, Where: "seccomp",
			Why: say("a seccomp filter hands this call to another process, a supervisor or tracer, which may have answered %[1]s",
				"seccomp 过滤器把这一调用交给另一进程（监督者或跟踪者）处理，可能是它返回了 %[1]s", f.Name).and(profile(e.State)),
			Raise: allow(e.State, e.Filters, f.Call),
		}, true
	}
	return Cause{}, false
}

// whose says who installed the filter, as far as it is known.
func whose(f Filters, s census.Census) Text {
	if f.Installer != 0 {
		return say("; process %[1]d installed the filter", "；该过滤器由进程 %[1]d 安装", f.Installer)
	}
	var t Text
	if f.Inherited {
		t = say("; what started the program installed the filter", "；该过滤器由启动该程序的一方安装")
	}
	return t.and(profile(s))
}

// profile says that a container runtime installs filters.
func profile(c census.Census) Text {
	if c.Container == "" {
		return Text{}
	}
	return say("; container runtimes (here %[1]s) install such filters by default", "；容器运行时（此处为 %[1]s）默认安装此类过滤器", c.Container)
}

// unreadFilters names the filter that may have refused when filters could not be
// read.
func unreadFilters(e Evidence) []Cause {
	if e.Filters.Read || !e.State.Seccomp.Mode.AtLeast(census.Known(1)) {
		return nil
	}
	c := Cause{
		ID: "seccomp", Certainty: MayBe, Where: "seccomp",
		Why: say("a seccomp filter of the program (it has %[1]s) may answer %[2]s; whether it does is not known (%[3]s); root can read the filters",
			"该程序的 seccomp 过滤器（共 %[1]s 个）可能返回 %[2]s；无法确定是否如此（%[3]s），root 可以读取过滤器",
			e.State.Seccomp.Filters, e.Failure.Name, e.Filters.Problem).and(profile(e.State)),
		Raise: allow(e.State, e.Filters, e.Failure.Call),
	}
	if e.Failure.Name == "ENOSYS" && e.Failure.Call == "clone" {
		c.Certainty = Is
		c.Why = say("kernels have clone on every architecture, so ENOSYS is the answer of a seccomp filter of the program (it has %[1]s)",
			"任何架构的内核都有 clone，因此 ENOSYS 来自该程序的 seccomp 过滤器（共 %[1]s 个）", e.State.Seccomp.Filters).and(profile(e.State))
	}
	return []Cause{c}
}
