package diagnose

import (
	"syscall"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/fatal"
)

// spoken judges by the program's own words, or by how it ended, when no refused call
// was seen.
func spoken(r Report, status syscall.WaitStatus) (Cause, bool) {
	switch {
	case status.Signaled() && status.Signal() == syscall.SIGSYS:
		return Cause{ID: "seccomp-kill", Certainty: Is, Where: "seccomp",
			Why: say("a seccomp filter ended the program at a system call (SIGSYS)", "seccomp 过滤器在某个系统调用处终止了程序（SIGSYS）")}, true
	case r.Said == nil:
		return Cause{}, false
	}
	switch r.Said.Kind {
	case fatal.TooManyThreads:
		return Cause{ID: "go-max-threads", Certainty: Is, Limit: census.Known(r.Said.Have), Where: "runtime/debug.SetMaxThreads",
			Why: say("the Go runtime's own limit of threads, %[1]d, was reached; the kernel refused nothing. Many threads wait in system calls or in C",
				"达到 Go 运行时自身的线程数限制 %[1]d；内核没有拒绝任何请求。许多线程正阻塞在系统调用或 C 代码中", r.Said.Have),
			Raise: []Remedy{run(say("in the program", "在程序中"), "debug.SetMaxThreads(%d)", double(r.Said.Have))}}, true
	case fatal.Memory, fatal.LockedMemory, fatal.Denied:
		return Cause{ID: "memory-unseen", Certainty: MayBe,
			Why: say("the program was refused memory by a call that was not seen", "程序分配内存被拒绝，但未观察到该调用")}, true
	}
	return Cause{}, false
}
