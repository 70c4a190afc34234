// Package signal claims what the kernel takes as an alternate signal stack, and
// who inherits it. The Go runtime gives every thread one.
package signal

import (
	"fmt"

	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
)

// probe is the probe that all claims of this suite read.
const probe = "sigstack"

// in is the prefix of the steps of the thread whose signal stack was changed.
const in = "thread."

// Suite returns the claims. SG-009, about mmap under a strict Yama, is in
// protection; SG-011, about the signal below a full stack, is in mmapabi.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "signal", Prefix: "SG", Floor: 3, Probe: probe,
		About: claim.Text{
			English: "What the kernel takes as an alternate signal stack, and who inherits it.",
			Chinese: "内核接受什么作为备用信号栈，以及由谁继承。",
		},
	}.Join(claims())
}

func claims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "SG-001", Level: verdict.Must,
			English: "sigaltstack takes memory mapped with MAP_STACK as it takes any other, and signals are handled on it.",
			Chinese: "sigaltstack 接受以 MAP_STACK 映射的内存，与其他内存无异，信号在其上得到处理。",
			Source:  "sigaltstack(2): ss.ss_sp is the starting address of the stack, which the thread allocates; mmap(2), MAP_STACK: this flag is currently a no-op on Linux (OpenBSD alone wants it here); observed on every booted kernel",
			Check:   inThread(checkAreas),
		},
		{
			ID: "SG-002", Level: verdict.Must,
			English: "The smallest alternate signal stack has the architecture's MINSIGSTKSZ bytes (2048 on ppc64le before 5.14), or up to what a signal needs if the kernel says that it is more (AT_MINSIGSTKSZ); one byte less is refused with ENOMEM.",
			Chinese: "最小的备用信号栈为本架构 MINSIGSTKSZ 所定的字节数（5.14 之前的 ppc64le 为 2048）；若内核说明信号需要更多（AT_MINSIGSTKSZ），则可大至该值；少一个字节即以 ENOMEM 拒绝。",
			Source:  "sigaltstack(2): ENOMEM, the size is less than MINSIGSTKSZ; getauxval(3): AT_MINSIGSTKSZ; MINSIGSTKSZ of arch/*/include/uapi/asm/signal.h, sigaltstack_size_valid in arch/x86/kernel/signal.c; observed to the byte on 4.19 to 7.3: 2048, but 4096 on loong64 and alpha, 5120 on arm64, 8192 on ppc64le",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				t.Ended("thread")
				a, o := expect.Table(f), t.Step(in+"smallest")
				least, most := smallest(a, f, o)
				g.Expect(o.Int("size")).To(gomega.And(gomega.BeNumerically(">=", least), gomega.BeNumerically("<=", most)),
					"the smallest size that is taken, bytes: from %d to %d", least, most)
				expect.Errno(g, a, o, "ENOMEM")
			},
		},
		{
			ID: "SG-003", Level: verdict.Must,
			English: "sigaltstack refuses flags that it does not know with EINVAL and leaves the signal stack as it was.",
			Chinese: "sigaltstack 以 EINVAL 拒绝未知的标志，并保持信号栈不变。",
			Source:  "sigaltstack(2), ERRORS: EINVAL, ss is not NULL and the ss_flags field contains an invalid flag; observed on every booted kernel",
			Check: inThread(func(g gomega.Gomega, t claim.Transcript, a abi.Table) {
				o := t.Step(in + "bad flags")
				expect.Errno(g, a, o, "EINVAL")
				g.Expect(o.Value("unchanged")).To(gomega.Equal("true"), "the signal stack afterwards is the one before")
			}),
		},
		{
			ID: "SG-004", Level: verdict.Must,
			English: "A new thread has no alternate signal stack, although the thread that made it has one.",
			Chinese: "新线程没有备用信号栈，即使创建它的线程有。",
			Source:  "sigaltstack(2), NOTES: a child created using clone(2) inherits the settings, unless the flags include CLONE_VM and do not include CLONE_VFORK, in which case the alternate signal stack is disabled; asked by the thread's first system call",
			Needs:   []abi.Feature{abi.Trace},
			Check: inThread(func(g gomega.Gomega, t claim.Transcript, _ abi.Table) {
				parents(t)
				o := t.Step(in + "inherit.thread")
				expect.OK(g, o)
				g.Expect(o.Int("flags")).To(gomega.Equal(disabled), "ss_flags that the thread is told, SS_DISABLE")
				g.Expect(o.Uint("size")).To(gomega.BeZero(), "ss_size that the thread is told")
			}),
		},
		{
			ID: "SG-101", Level: verdict.Must,
			English: "A new process has the alternate signal stack of the thread that made it, with memory of its own as well as with CLONE_VFORK.",
			Chinese: "新进程沿用创建它的线程的备用信号栈，无论它有自己的内存还是以 CLONE_VFORK 创建。",
			Source:  "sigaltstack(2), NOTES: a child created via fork(2) inherits a copy of its parent's alternate signal stack settings, and so does one created using clone(2), unless the flags include CLONE_VM and do not include CLONE_VFORK; observed on 5.10 to 7.3",
			Needs:   []abi.Feature{abi.Trace},
			Check: inThread(func(g gomega.Gomega, t claim.Transcript, _ abi.Table) {
				parent := parents(t)
				for _, step := range []string{"inherit.fork", "inherit.vfork"} {
					o := t.Step(in + step)
					expect.OK(g, o)
					g.Expect(o.Int("flags")).To(gomega.BeZero(), "step %s: ss_flags that the process is told", step)
					g.Expect(o.Uint("sp")).To(gomega.Equal(parent.Uint("sp")), "step %s: the address of the signal stack", step)
					g.Expect(o.Uint("size")).To(gomega.Equal(parent.Uint("size")), "step %s: its size", step)
				}
			}),
		},
	}
}

// smallest returns the bounds of the smallest signal stack that a kernel may take.
func smallest(a abi.Table, f facts.Facts, o claim.Observation) (least, most int) {
	least, most = a.MinSigStack, a.MinSigStack
	if a.GOARCH == "ppc64le" && !f.Release.AtLeast(5, 14, 0) {
		const before = 2048 // MINSIGSTKSZ of powerpc until 5.14
		least = before
	}
	if needed := o.Values["needed"]; needed != "" {
		// A kernel may ask for more than that, to the byte (CONFIG_STRICT_SIGALTSTACK_SIZE).
		most = max(most, o.Int("needed")+1)
	}
	return least, most
}

// disabled is SS_DISABLE (include/uapi/linux/signal.h).
const disabled = 2

// parents returns the signal stack of the thread that makes the others. It stops
// the check if that thread has none: nothing could be inherited.
func parents(t claim.Transcript) claim.Observation {
	o := t.Step(in + "runtime")
	if o.Result(); o.Int("flags") != 0 || o.Uint("size") == 0 {
		panic(claim.Missing{Probe: probe, Step: o.Step, Value: "flags", Reason: fmt.Sprintf("the thread has no signal stack: %v", o.Values)})
	}
	return o
}

// inThread makes a check of one about the thread whose signal stack was changed. It
// stops the check unless the thread's steps ran to their end.
func inThread(check func(gomega.Gomega, claim.Transcript, abi.Table)) func(gomega.Gomega, claim.Transcript, facts.Facts) {
	return func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
		t.Ended("thread")
		check(g, t, expect.Table(f))
	}
}

func checkAreas(g gomega.Gomega, t claim.Transcript, _ abi.Table) {
	for _, step := range []string{"plain", "stack"} {
		o := t.Step(in + step)
		start := o.Uint("mapped")
		expect.OK(g, o)
		g.Expect(o.Uint("sp")).To(gomega.Equal(start), "step %s: the signal stack's address, asked of the kernel", step)
		g.Expect(o.Uint("size")).To(gomega.Equal(o.Uint("length")), "step %s: its size", step)
		if before := o.Int("resident before"); before != 0 {
			panic(claim.Missing{Probe: probe, Step: in + step, Value: "resident before", Reason: "the memory was in use already"})
		}
		// The first thing written to it must be the frame of the signal.
		g.Expect(o.Value("handled")).To(gomega.Equal("true"), "step %s: the signal was handled", step)
		g.Expect(o.Int("resident after")).To(gomega.BeNumerically(">", 0), "step %s: pages of it in use after the signal", step)
		g.Expect(o.Value("restored")).To(gomega.Equal("true"), "step %s: it was the signal stack until it was replaced", step)
	}
}
