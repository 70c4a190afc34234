package diagnose

import (
	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/diagnose/fatal"
)

// spoken judges by the program's own words, when no refused call was seen.
func spoken(s *saying) Cause {
	if s.Kind != fatal.TooManyThreads {
		return Cause{ID: "memory-unseen", Certainty: MayBe,
			Why: say("the program was refused memory by a call that was not seen, or it passes on the words of another program", "程序分配内存被拒绝，但未观察到该调用；也可能它转述的是另一个程序的输出")}
	}
	return Cause{ID: "go-max-threads", Certainty: Is, Limit: census.Known(s.Have), Where: "runtime/debug.SetMaxThreads",
		Why: say("the Go runtime's own limit of threads, %[1]d, was reached; the kernel refused nothing. Many threads wait in system calls or in C",
			"达到 Go 运行时自身的线程数限制 %[1]d；内核没有拒绝任何请求。许多线程正阻塞在系统调用或 C 代码中", s.Have),
		Raise: []Remedy{run(say("in the program", "在程序中"), "debug.SetMaxThreads(%d)", double(s.Have))}}
}

// elsewhere judges words that a program passes on, such as the client of a container.
func elsewhere(s *saying) Cause {
	c := Cause{ID: "elsewhere", Certainty: Is,
		Why: say("process %[1]d passes on the words of another program, which runs elsewhere and was not watched; every call of the programs here was, and none was refused for it",
			"进程 %[1]d 转述的是另一个程序的输出，后者在别处运行，未被跟踪；这里各程序的调用均已跟踪，没有与之对应的拒绝", s.pid),
		Raise: []Remedy{run(say("where that program runs: in its container, or on its machine", "在该程序运行之处：其容器内或其机器上"), "mapstack diagnose --pid PID")}}
	if s.Kind == fatal.CgoThread && s.heard.Failure.Name == "EPERM" {
		c.Why = c.Why.and(say(". In containers EPERM for a thread comes as a rule from a seccomp profile that is older than clone3: update the runtime and its libseccomp",
			"。在容器中，创建线程得到 EPERM 通常是因为 seccomp 配置早于 clone3：请更新运行时及其 libseccomp"))
	}
	return c
}
