package clone

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
	"github.com/mapstack/conformance/suites/internal/history"
)

func legacyClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "CL-001", Level: verdict.Must,
			English: "clone has the architecture's number and argument order: it makes a child and stores the child's ID at parent_tid and, in the child, at child_tid.",
			Chinese: "clone 使用本架构的调用号和参数顺序：它创建子进程，把子进程 ID 写入 parent_tid，并在子进程中写入 child_tid。",
			Source:  "clone(2), C library/kernel differences: the order of the raw call's arguments by architecture; CLONE_PARENT_SETTID and CLONE_CHILD_SETTID; the number is in the architecture's system call table",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := t.Step("fork")
				expect.OK(g, o)
				g.Expect(o.Result()).To(gomega.BeNumerically(">", 0), "the child's ID")
				g.Expect(o.Value("parent-tid")).To(gomega.Equal("true"), "the child's ID was stored at parent_tid")
				g.Expect(o.Value("child-tid")).To(gomega.Equal("true"), "the child's ID was stored at child_tid")
				g.Expect(o.Int("exit")).To(gomega.BeZero(), "the child's exit status")
				meets(g, t, expect.Table(f), in, "process", accepted)
			},
		},
		{
			ID: "CL-002", Level: verdict.Must,
			English: "clone accepts the flags that the Go runtime starts its threads with.",
			Chinese: "clone 接受 Go 运行时创建线程所用的标志。",
			Source:  "clone(2): CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD and CLONE_SETTLS, which no entry of ERRORS forbids together; cloneFlags in Go's runtime/os_linux.go",
			Check:   answers(always(want{"go thread": accepted, "go thread with tls": accepted})),
		},
		{
			ID: "CL-003", Level: verdict.Must,
			English: "clone accepts the flags of glibc's and musl's pthread_create, CLONE_DETACHED included.",
			Chinese: "clone 接受 glibc 和 musl 的 pthread_create 所用的标志，包括 CLONE_DETACHED。",
			Source:  "clone(2): the flags, which no entry of ERRORS forbids together, and CLONE_DETACHED, usually ignored when calling clone(); glibc nptl/pthread_create.c; musl src/thread/pthread_create.c",
			Check:   answers(always(want{"glibc thread": accepted, "musl thread": accepted})),
		},
		{
			ID: "CL-004", Level: verdict.Must,
			English: "clone refuses CLONE_SIGHAND without CLONE_VM with EINVAL.",
			Chinese: "没有 CLONE_VM 的 CLONE_SIGHAND 被 clone 以 EINVAL 拒绝。",
			Source:  "clone(2), ERRORS: EINVAL, CLONE_SIGHAND was specified in the flags mask, but CLONE_VM was not",
			Check:   answers(always(want{"sighand without vm": refused})),
		},
		{
			ID: "CL-005", Level: verdict.Must,
			English: "clone refuses CLONE_THREAD with EINVAL unless CLONE_SIGHAND and CLONE_VM are given too.",
			Chinese: "除非同时给出 CLONE_SIGHAND 和 CLONE_VM，clone 以 EINVAL 拒绝 CLONE_THREAD。",
			Source:  "clone(2), ERRORS: EINVAL, CLONE_THREAD was specified in the flags mask, but CLONE_SIGHAND was not; and CLONE_SIGHAND without CLONE_VM",
			Check:   answers(always(want{"thread alone": refused, "thread with vm": refused, "thread with sighand": refused})),
		},
		{
			ID: "CL-006", Level: verdict.Must,
			English: "CLONE_FS, CLONE_FILES, CLONE_SYSVSEM and CLONE_SETTLS are optional: clone accepts a thread, or a process that shares memory, without them, and CLONE_IO or CLONE_PARENT alone.",
			Chinese: "CLONE_FS、CLONE_FILES、CLONE_SYSVSEM 和 CLONE_SETTLS 是可选的：没有它们，clone 也接受线程或共享内存的进程，并接受单独的 CLONE_IO 或 CLONE_PARENT。",
			Source:  "clone(2): CLONE_THREAD wants CLONE_SIGHAND and that CLONE_VM, and no entry of ERRORS asks for more; CLONE_IO and CLONE_PARENT have no condition but that the caller is no init process",
			Check:   answers(always(want{"thread with vm and sighand": accepted, "vm": accepted, "vm and sighand": accepted, "io": accepted, "parent": accepted})),
		},
		{
			ID: "CL-007", Level: verdict.Must,
			English:  "clone refuses with EINVAL to share file system state with, or to make a thread of, a process in a new namespace.",
			Chinese:  "clone 以 EINVAL 拒绝与新命名空间中的进程共享文件系统状态，也拒绝把线程放入新命名空间。",
			Source:   "clone(2), ERRORS: EINVAL for CLONE_FS with CLONE_NEWNS or CLONE_NEWUSER, and for CLONE_NEWPID or CLONE_NEWUSER with CLONE_THREAD",
			Features: []claim.Feature{feature.Unfiltered("clone of namespaces", "dry.newns with fs", "EPERM")},
			Check:    answers(always(want{"newns with fs": refused, "newuser with fs": refused, "thread in newuser": refused, "thread in newpid": refused})),
		},
		{
			ID: "CL-008", Level: verdict.Must,
			English:  "clone refuses CLONE_PIDFD together with CLONE_DETACHED or CLONE_PARENT_SETTID with EINVAL.",
			Chinese:  "clone 以 EINVAL 拒绝 CLONE_PIDFD 与 CLONE_DETACHED 或 CLONE_PARENT_SETTID 同时出现。",
			Source:   "clone(2), ERRORS: EINVAL; kernel_clone and copy_process in kernel/fork.c of 5.10, 6.1 and 7.2; observed on 4.19.90: before 5.2 the bit has no meaning",
			Features: []claim.Feature{feature.PidFD()},
			Check:    answers(always(want{"pidfd with detached": refused, "pidfd with parent_settid": refused})),
		},
		{
			ID: "CL-009", Level: verdict.Should,
			English:  "clone accepts CLONE_PIDFD for a thread from 6.9 on and refuses it with EINVAL before.",
			Chinese:  "从 6.9 起 clone 接受对线程使用 CLONE_PIDFD，此前以 EINVAL 拒绝。",
			Source:   "commit 83b290c9e3b5; observed on 5.10 to 7.3",
			Features: []claim.Feature{feature.PidFD()},
			Check: answers(func(f facts.Facts) want {
				return want{"pidfd of a thread": since(history.PidfdOfThread(f), accepted, refused)}
			}),
		},
		{
			ID: "CL-010", Level: verdict.Should,
			English: "clone refuses an exit signal that is no signal with EINVAL from 7.1 on and accepts it before.",
			Chinese: "从 7.1 起 clone 以 EINVAL 拒绝不是信号的退出信号号码，此前接受。",
			Source:  "kernel_clone in kernel/fork.c; observed on 5.10 to 7.3",
			Check: answers(func(f facts.Facts) want {
				answer := since(history.ExitSignalChecked(f), refused, accepted)
				steps := want{"exit signal after the last": answer, "exit signal 255": answer, "exit signal 129": answer}
				if expect.Table(f).Signal.Max < 128 { // MIPS has signal 128
					steps["exit signal 128"] = answer
				}
				return steps
			}),
		},
		{
			ID: "CL-019", Level: verdict.Should, // no manual has the order
			English:  "clone reports flags that contradict each other before it reports that RLIMIT_NPROC is exceeded.",
			Chinese:  "标志互相矛盾时，clone 先报告标志错误，再报告超出 RLIMIT_NPROC。",
			Source:   "order of the checks of copy_process in kernel/fork.c, 5.10 to 7.3",
			Features: []claim.Feature{feature.AnotherUser(probe, "dry.limit")},
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				t.Step(in + "limit").Result()
				expect.Errno(g, a, t.Step(in+"process"), accepted)
				expect.Errno(g, a, t.Step(in+"thread alone"), refused)
				expect.Errno(g, a, t.Step(in+"sighand without vm"), refused)
			}),
		},
		{
			ID: "CL-038", Level: verdict.Must,
			English: "clone accepts the last signal as the one at the child's end, and refuses all its flags at once with EINVAL.",
			Chinese: "clone 接受以最后一个信号作为子进程的退出信号，并以 EINVAL 拒绝同时给出所有标志。",
			Source:  "clone(2): the child termination signal, and ERRORS: EINVAL for flags that contradict each other; signal(7): real-time signals",
			Check:   answers(always(want{"exit signal, the last": accepted, "every flag": refused})),
		},
		{
			ID: "CL-021", Level: verdict.Should,
			English:  "While another thread of the process is inside execve, clone refuses CLONE_FS, and nothing else, with EAGAIN, although no limit is reached; it accepts it before, and again after execve has failed.",
			Chinese:  "当进程的另一线程正处于 execve 中时，即使没有达到任何限制，clone 也以 EAGAIN 拒绝 CLONE_FS（仅拒绝它）；此前以及 execve 失败之后均接受。",
			Source:   "copy_fs in kernel/fork.c of 5.10, 6.1 and 7.3, check_unsafe_exec in fs/exec.c; golang.org/issue/49438; a lease on a script's interpreter holds execve until clone was tried",
			Needs:    []abi.Feature{abi.Trace},
			Features: []claim.Feature{feature.HeldExecve()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				t.Step("exec.lease").Result()
				t.Step("exec.execve").Result()
				expect.OK(g, t.Step("exec.before"))
				expect.Errno(g, expect.Table(f), t.Step("exec.during"), "EAGAIN")
				expect.OK(g, t.Step("exec.during, without fs"))
				expect.OK(g, t.Step("exec.after"))
			},
		},
	}
}

func namespaceClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "CL-016", Level: verdict.Must,
			English:  "After unshare(CLONE_NEWPID) a thread can still ask for processes, but clone refuses it further threads with EINVAL.",
			Chinese:  "unshare(CLONE_NEWPID) 之后，线程仍可请求创建进程，但 clone 以 EINVAL 拒绝它再创建线程。",
			Source:   "clone(2), ERRORS: EINVAL; copy_process in kernel/fork.c; unshare(2)",
			Features: []claim.Feature{feature.NewPIDNamespace()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				t.Step("newpid.unshare").Result()
				a := expect.Table(f)
				meets(g, t, a, "newpid.", "process", accepted)
				meets(g, t, a, "newpid.", "thread", refused)
			},
		},
	}
}
