// Package tracing claims what tracers of system calls and injectors of defects
// rely on: seccomp filters, ptrace at system calls, tracepoints. A kernel may be
// built without any of them, so nothing here is a MUST.
package tracing

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// probe is the probe that all claims of this suite read.
const probe = "tracing"

// answer is the error that the probe's filters and its listener give. invalid is
// the error that the kernel gives to the traced calls.
const (
	answer  = "EOVERFLOW"
	invalid = "EINVAL"
)

// Suite returns the claims. Those so far have the prefix of package signal, because
// an ID never changes; new ones have TR.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "tracing", Prefix: "TR", Probe: probe,
		Unmodelled: "what the probe does is what an injector does, and a thread has one tracer",
		About: claim.Text{
			English: "What tracers of system calls and injectors of defects rely on: seccomp filters, ptrace at system calls, tracepoints.",
			Chinese: "系统调用跟踪器和缺陷注入器所依赖的机制：seccomp 过滤器、系统调用处的 ptrace、跟踪点。",
		},
	}.Join(filterClaims(), ptraceClaims(), skippedClaims(), listenerClaims(), tracepointClaims())
}

// filterClaims returns the claims about seccomp filters.
func filterClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "SG-005", Level: verdict.Should,
			English:  "A seccomp filter that one thread installs with SECCOMP_FILTER_FLAG_TSYNC binds all threads of the process, and those that come later, together with no_new_privs.",
			Chinese:  "一个线程以 SECCOMP_FILTER_FLAG_TSYNC 安装的 seccomp 过滤器连同 no_new_privs 一起约束进程的所有线程，包括之后创建的线程。",
			Source:   "seccomp(2): SECCOMP_FILTER_FLAG_TSYNC; seccomp_sync_threads in kernel/seccomp.c sets no_new_privs with it",
			Features: []claim.Feature{feature.SeccompFilters()},
			Check:    expect.WithTable(checkThreads),
		},
	}
}

// ptraceClaims returns the claims about ptrace at system calls.
func ptraceClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "SG-006", Level: verdict.Should,
			English:  "PTRACE_GET_SYSCALL_INFO tells the number and all six arguments of a system call at its entry, in the same form on every architecture.",
			Chinese:  "PTRACE_GET_SYSCALL_INFO 在系统调用入口处给出调用号和全部六个参数，各架构形式相同。",
			Source:   "ptrace(2): PTRACE_GET_SYSCALL_INFO, since Linux 5.3; a kernel without it answers EIO",
			Needs:    []abi.Feature{abi.Trace},
			Features: []claim.Feature{feature.Ptrace(), feature.SyscallInfo()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				o := t.Step("traced.entry")
				expect.OK(g, o)
				g.Expect(o.Uint("number")).To(gomega.Equal(a.Syscall.Prctl), "the number of prctl")
				for i, want := range arguments() {
					key := fmt.Sprintf("argument %d", i)
					g.Expect(o.Uint(key)).To(gomega.Equal(want), key)
				}
			}),
		},
		{
			ID: "SG-102", Level: verdict.Should,
			English:  "PTRACE_GET_SYSCALL_INFO tells the error of a system call at its end, as the program then sees it.",
			Chinese:  "PTRACE_GET_SYSCALL_INFO 在系统调用结束时给出其错误，与程序随后所见一致。",
			Source:   "ptrace(2): rval and is_error of PTRACE_GET_SYSCALL_INFO; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.Trace},
			Features: []claim.Feature{feature.Ptrace(), feature.SyscallInfo()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				seen := t.Step("traced.watched")
				if seen.OK() || seen.Errno != a.Errno(invalid) {
					panic(claim.Missing{Probe: probe, Step: seen.Step, Value: "ret", Reason: "the call does not end with " + invalid})
				}
				expect.Errno(g, a, t.Step("traced.exit"), invalid)
			}),
		},
		{
			ID: "SG-007", Level: verdict.Should,
			English:  "PTRACE_SET_SYSCALL_INFO makes a system call another one at its entry.",
			Chinese:  "PTRACE_SET_SYSCALL_INFO 可在系统调用入口处把它改为另一个调用。",
			Source:   "ptrace(2); commit 26bb32768fe6 (6.16), kernel/ptrace.c; a kernel without it answers EIO",
			Needs:    []abi.Feature{abi.Trace},
			Features: []claim.Feature{feature.Ptrace(), feature.SyscallInfo(), feature.SetSyscallInfo()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				expect.OK(g, t.Step("traced.set"))
				o := t.Step("traced.changed")
				expect.OK(g, o)
				g.Expect(o.Result()).To(gomega.BeEquivalentTo(dumpable), "what the changed call, PR_GET_DUMPABLE, gives the program")
			},
		},
		{
			ID: "SG-103", Level: verdict.Should,
			English:  "PTRACE_SET_SYSCALL_INFO refuses flags, of which there are none, with EINVAL, and leaves the call as it was.",
			Chinese:  "PTRACE_SET_SYSCALL_INFO 以 EINVAL 拒绝任何标志（尚未定义任何标志），并保持调用不变。",
			Source:   "ptrace_set_syscall_info in kernel/ptrace.c of 6.16 to 7.3; observed on 6.16 to 7.3",
			Needs:    []abi.Feature{abi.Trace},
			Features: []claim.Feature{feature.Ptrace(), feature.SyscallInfo(), feature.SetSyscallInfo()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step("traced.set reserved"), invalid)
				expect.Errno(g, a, t.Step("traced.reserved"), invalid)
			}),
		},
	}
}

// skippedClaims returns the claim about calls that a tracer answers in the kernel's place.
func skippedClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "TR-001", Level: verdict.Should,
			English:  "A system call whose number PTRACE_SET_SYSCALL_INFO makes -1 at its entry is not made, and the program gets the value or the error that the request sets at its end; the tracer's own next call works.",
			Chinese:  "PTRACE_SET_SYSCALL_INFO 在入口处把调用号改为 -1 的系统调用不会执行，程序得到该请求在其结束时设置的值或错误；跟踪者自己的下一个调用正常工作。",
			Source:   "ptrace_set_syscall_info in kernel/ptrace.c of 6.16 to 7.3; tools/testing/selftests/ptrace/set_syscall_info.c; observed on riscv64 and s390x 7.2 and amd64 7.3, and not on ppc64le 7.2",
			Finding:  "ppc64le-72-loses-a-system-call-of-the-tracer",
			Needs:    []abi.Feature{abi.Trace},
			Features: []claim.Feature{feature.Ptrace(), feature.SyscallInfo(), feature.SetSyscallInfo()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				changes(g, t.Step("skipped.no call for value"))
				changes(g, t.Step("skipped.set value"))
				// Where the kernel loses its way behind the call, nothing more is seen.
				g.Expect(t.Step("skipped").Value("timedout")).To(gomega.Equal("false"), "the program hangs after a call that was not made")
				changes(g, t.Step("skipped.no call for error"))
				changes(g, t.Step("skipped.set error"))
				gets(g, t.Step("skipped.value"), 0x1234)
				expect.Errno(g, a, t.Step("skipped.error"), answer)
			}),
		},
	}
}

// changes expects that a request changed a call, and nothing of the tracer.
func changes(g gomega.Gomega, o claim.Observation) {
	expect.OK(g, o)
	g.Expect(o.Value("next")).To(gomega.Equal("true"), "step %s: the next call of the tracer itself works", o.Step)
}

// listenerClaims returns the claims about seccomp listeners.
func listenerClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "SG-008", Level: verdict.Should,
			English:  "A seccomp listener, fetched with pidfd_getfd, decides whether a thread's system call fails: the thread gets the error that the listener sends, or with SECCOMP_USER_NOTIF_FLAG_CONTINUE the kernel's own result.",
			Chinese:  "经 pidfd_getfd 取得的 seccomp 监听者决定线程的系统调用是否失败：线程得到监听者发送的错误；若给出 SECCOMP_USER_NOTIF_FLAG_CONTINUE，则得到内核自己的结果。",
			Source:   "seccomp_do_user_notification in kernel/seccomp.c; seccomp_unotify(2); FLAG_CONTINUE since 5.5, pidfd_getfd since 5.6",
			Features: []claim.Feature{feature.SeccompFilters(), feature.SeccompListener(), feature.PidfdGetfd()},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				listens(g, t)
				expect.Errno(g, a, t.Step("listener.refused"), answer)
				gets(g, t.Step("listener.continued"), t.Step("listener.session").Uint("own"))
			}),
		},
		{
			ID: "SG-104", Level: verdict.Should,
			English:  "A system call that a seccomp listener answers with a value returns that value to the thread.",
			Chinese:  "seccomp 监听者以某个值应答的系统调用，会把该值返回给线程。",
			Source:   "seccomp_do_user_notification in kernel/seccomp.c, syscall_set_return_value in arch/*/include/asm/syscall.h; observed on every booted kernel but ppc64le 7.2, whose system_call_exception (arch/powerpc/kernel/syscall.c) returns the error alone, 0 for none",
			Finding:  "ppc64le-72-loses-the-value-of-a-seccomp-listener",
			Features: []claim.Feature{feature.SeccompFilters(), feature.SeccompListener(), feature.PidfdGetfd()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				listens(g, t)
				gets(g, t.Step("listener.replaced"), 0x12345678)
			},
		},
	}
}

// tracepointClaims returns the claims about tracepoints.
func tracepointClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "SG-010", Level: verdict.Should,
			English:  "The scheduler has the tracepoints sched_process_fork and sched_switch, and none named sched_thread_load.",
			Chinese:  "调度器有 sched_process_fork 和 sched_switch 跟踪点，而没有名为 sched_thread_load 的跟踪点。",
			Source:   "include/trace/events/sched.h of 4.19 to 7.3; observed on 4.19.90 and 5.10 to 7.3",
			Needs:    []abi.Feature{abi.Tracepoints},
			Features: []claim.Feature{feature.Mounting(), feature.Tracefs()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				expect.OK(g, t.Step("tracefs.mount"))
				o := t.Step("tracefs.events")
				for _, event := range []struct{ name, there string }{
					{"sched_process_fork", "true"}, {"sched_switch", "true"}, {"sched_thread_load", "false"},
				} {
					g.Expect(o.Value(event.name)).To(gomega.Equal(event.there), "there is a tracepoint %s", event.name)
				}
			},
		},
	}
}

// dumpable is SUID_DUMP_USER, which PR_GET_DUMPABLE gives to a program that may
// be traced (include/linux/sched/coredump.h).
const dumpable = 1

// arguments returns the arguments of the watched call.
func arguments() [6]uint64 {
	return [6]uint64{0x6d730001, 0x1111, 0x2222, 0x3333, 0x4444, 0x5555}
}

func checkThreads(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
	t.Step("threads.before").Result()
	filter := t.Step("threads.filter")
	expect.OK(g, filter)
	g.Expect(filter.Result()).To(gomega.BeZero(), "the thread that could not be bound")
	for _, step := range []string{"older 0", "older 1", "older 2", "older 3", "newer"} {
		expect.Errno(g, a, t.Step("threads."+step), answer)
	}
	o := t.Step("threads.tasks")
	g.Expect(o.Int("all")).To(gomega.BeNumerically(">", 5), "threads of the process")
	g.Expect(o.Int("restricted")).To(gomega.Equal(o.Int("all")), "threads with a filter and no_new_privs")
}

// listens expects that the listener was installed and fetched.
func listens(g gomega.Gomega, t claim.Transcript) {
	for _, step := range []string{"filter", "getfd"} {
		expect.OK(g, t.Step("listener."+step))
	}
}

// gets expects the value that a call returned to the thread.
func gets(g gomega.Gomega, o claim.Observation, want uint64) {
	expect.OK(g, o)
	g.Expect(o.Result()).To(gomega.Equal(want), "step %s: what the thread gets", o.Step)
}
