package goruntime

import (
	"strings"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// signalStack is the size of the signal stack of each thread, in bytes (mpreinit in
// runtime/os_linux.go).
const signalStack = "32768"

// held is the number of goroutines that hold a thread in the program exits.
const held = 30

// threadClaims returns the claims about the threads of the runtime.
func threadClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "GR-012", Level: verdict.Must,
			English:      "A Go program has as many threads as goroutines that hold one, whatever GOMAXPROCS is: 40 and more with GOMAXPROCS=1.",
			Chinese:      "Go 程序的线程数取决于占用线程的 goroutine 数，与 GOMAXPROCS 无关：GOMAXPROCS=1 时也可有 40 个以上。",
			Source:       "package runtime, Environment Variables: there is no limit to the number of threads that can be blocked in system calls, and those do not count against GOMAXPROCS; runtime.LockOSThread: no other goroutine will execute in the thread; clone(2): CLONE_THREAD; observed on 4.19 and 5.10 to 7.3",
			Needs:        []abi.Feature{abi.GoPort},
			Uninjectable: ofRuntime,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Ended("single")
				o := t.Step("single.up")
				if o.Int("gomaxprocs") != 1 {
					panic(claim.Missing{Probe: probe, Step: o.Step, Value: "gomaxprocs", Reason: "it is " + o.Value("gomaxprocs")})
				}
				g.Expect(o.Int("threads")).To(gomega.BeNumerically(">", o.Int("started")), "threads of the program")
			},
		},
		{
			ID: "GR-013", Level: verdict.Should,
			English: "Each thread of a Go program has a signal stack of its own, of 32 KiB in memory of the Go heap.",
			Chinese: "Go 程序的每个线程都有自己的信号栈，大小为 32 KiB，位于 Go 堆内存中。",
			Source:  "mpreinit and malg in Go's runtime",
			Needs:   []abi.Feature{abi.GoPort},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Ended("stacks")
				o := t.Step("stacks.signal")
				equal(g, o, "sizes", signalStack)
				g.Expect(o.Int("stacks")).To(gomega.Equal(o.Int("threads")), "signal stacks")
				equal(g, o, "mapped", "true")
				g.Expect(o.Uint("end")-o.Uint("start")).To(gomega.BeNumerically(">", o.Int("threads")*32768), "bytes of the mapping that one lies in")
			},
		},
		{
			ID: "GR-014", Level: verdict.Must,
			English:      "A thread ends when the goroutine that holds it does: of 30 threads none is left.",
			Chinese:      "占用线程的 goroutine 结束时线程随之结束：30 个线程无一留存。",
			Source:       "runtime.LockOSThread: if the calling goroutine exits without unlocking the thread, the thread will be terminated; proc(5): /proc/PID/task has a folder for each thread of the process; observed on 4.19 and 5.10 to 7.3",
			Needs:        []abi.Feature{abi.GoPort},
			Uninjectable: ofRuntime,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Ended("exits")
				o := t.Step("exits.ended")
				g.Expect(o.Int("held")).To(gomega.Equal(held), "different threads of the goroutines")
				g.Expect(o.Int("before")).To(gomega.BeNumerically(">", held), "threads before")
				g.Expect(o.Int("left")).To(gomega.BeZero(), "threads of those goroutines that are left")
			},
		},
		{
			ID: "IN-007", Level: verdict.Should,
			English:  "A Go program does not notice that clone3 is answered with ENOSYS: its threads start.",
			Chinese:  "clone3 返回 ENOSYS 时 Go 程序不受影响：线程照常启动。",
			Source:   "the runtime calls clone only, see GR-004: cloneFlags in Go's runtime/os_linux.go; observed on 5.10 to 7.3",
			Needs:    []abi.Feature{abi.GoPort},
			Features: []claim.Feature{feature.Filters()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				t.Ended("clone3")
				t.Step("clone3.filter").Result()
				o := t.Step("clone3.up")
				g.Expect(o.Int("threads")).To(gomega.BeNumerically(">", o.Int("started")), "threads of the program")
			},
		},
		{
			ID: "GR-015", Level: verdict.Should,
			English: "A Go program that exceeds debug.SetMaxThreads says 'runtime: program exceeds 20-thread limit' and 'fatal error: thread exhaustion', and ends with status 2.",
			Chinese: "超过 debug.SetMaxThreads 的 Go 程序输出 'runtime: program exceeds 20-thread limit' 和 'fatal error: thread exhaustion'，并以状态 2 终止。",
			Source:  "checkmcount in Go's runtime/proc.go; the limit is 10000 unless the program sets it",
			Needs:   []abi.Feature{abi.GoPort},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("maximum")
				equal(g, o, "timedout", "false")
				g.Expect(o.Has("signal")).To(gomega.BeFalse(), "a signal ended step %s", o.Step)
				equal(g, o, "exit", "2")
				const want = "runtime: program exceeds 20-thread limit\nfatal error: thread exhaustion\n"
				g.Expect(strings.HasPrefix(o.Value("stderr"), want)).To(gomega.BeTrue(), "it says %q", o.Value("stderr"))
			},
		},
	}
}
