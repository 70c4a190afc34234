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

// tooBig is the answer to a struct clone_args that is longer than the kernel
// understands.
const tooBig = "E2BIG"

func clone3Claims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "CL-011", Level: verdict.Must,
			English:     "clone3 accepts every published size of its struct and a longer one whose tail is zero, and refuses a shorter one and unknown content.",
			Chinese:     "clone3 接受其结构体的每个已发布大小，以及尾部为零的更大结构体；拒绝更小的结构体和未知内容。",
			Source:      "clone(2): size is that of the structure, to which set_tid (5.5) and cgroup (5.7) were added later; Documentation/process/adding-syscalls.rst: memory beyond what the kernel expects must be zero",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: sizes([]string{"size 64", "size 80", "process", "zero tail"}, "size 0", "size 63", "tail that is not zero"),
		},
		{
			ID: "CL-045", Level: verdict.Should, // no manual has the errors
			English:     "clone3 refuses a struct that is shorter than its first version with EINVAL, unknown content and more than a page with E2BIG, and no struct at all with EFAULT.",
			Chinese:     "clone3 以 EINVAL 拒绝小于其第一个版本的结构体，以 E2BIG 拒绝未知内容和超过一页的结构体，以 EFAULT 拒绝空指针。",
			Source:      "selftests clone3.c: getpagesize() + 8 gives E2BIG; LTP clone302: a bad address gives EFAULT; copy_clone_args_from_user in kernel/fork.c of 5.10, 6.1 and 7.2",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(always(want{
				"clone3 size 0": refused, "clone3 size 63": refused,
				"clone3 size beyond a page": tooBig, "clone3 size of a page and 8": tooBig, "clone3 tail that is not zero": tooBig,
				"clone3 without a struct": "EFAULT",
			})),
		},
		{
			ID: "CL-012", Level: verdict.Must,
			English:     "clone3 refuses an exit signal that is no signal, and a signal in the flags, with EINVAL.",
			Chinese:     "clone3 以 EINVAL 拒绝不是信号的退出信号号码，以及放在标志中的信号。",
			Source:      "clone(2), clone3: cl_args.exit_signal is the signal to deliver to the parent, and flags has none, unlike the low byte of clone()'s; signal(7): the signals; clone3_args_valid in kernel/fork.c of 5.10, 6.1 and 7.2; selftests clone3.c",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(always(want{
				"clone3 exit signal after the last": refused, "clone3 exit signal 256": refused,
				"clone3 exit signal in the flags": refused,
			})),
		},
		{
			ID: "CL-013", Level: verdict.Must,
			English:     "clone3 refuses CLONE_DETACHED, and CLONE_CLEAR_SIGHAND with CLONE_SIGHAND, with EINVAL.",
			Chinese:     "clone3 以 EINVAL 拒绝 CLONE_DETACHED，以及 CLONE_CLEAR_SIGHAND 与 CLONE_SIGHAND 并用。",
			Source:      "clone(2), ERRORS: EINVAL; clone3_args_valid in kernel/fork.c of 5.10, 6.1 and 7.2; clone(2): CLONE_CLEAR_SIGHAND since 5.5, before that an unknown bit",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(always(want{"clone3 detached": refused, "clone3 clear_sighand with sighand": refused})),
		},
		{
			ID: "CL-014", Level: verdict.Must,
			English:     "clone3 refuses with EINVAL a stack without a size and a size without a stack, a signal at the end of a thread or of a sibling, and CLONE_INTO_CGROUP in a struct that has no cgroup.",
			Chinese:     "clone3 以 EINVAL 拒绝没有大小的栈和没有栈的大小，为线程或兄弟进程指定的退出信号，以及在没有 cgroup 字段的结构体中使用 CLONE_INTO_CGROUP。",
			Source:      "clone(2), \"The clone_args structure\"; clone3_stack_valid, clone3_args_valid and copy_clone_args_from_user in kernel/fork.c of 5.10, 6.1 and 7.2",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(always(want{
				"clone3 stack without size": refused, "clone3 size without stack": refused,
				"clone3 thread with exit signal": refused, "clone3 parent with exit signal": refused,
				"clone3 into_cgroup in a short struct": refused,
			})),
		},
		{
			ID: "CL-022", Level: verdict.Must,
			English:     "clone3 refuses with EINVAL a list of thread IDs without a size, a size without a list, and a size beyond 32, the most PID namespaces that can be nested.",
			Chinese:     "clone3 以 EINVAL 拒绝没有大小的线程 ID 列表、没有列表的大小，以及超过 32 的大小；PID 命名空间最多可嵌套 32 层。",
			Source:      "clone(2), ERRORS: EINVAL, set_tid_size is greater than the number of nested PID namespaces; pid_namespaces(7): the nesting is limited to 32; copy_clone_args_from_user in kernel/fork.c of 5.10, 6.1 and 7.2",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3(), feature.SetTID()},
			Check: answers(always(want{
				"clone3 set_tid without size": refused, "clone3 size without set_tid": refused, "clone3 set_tid_size 33": refused,
			})),
		},
		{
			ID: "CL-015", Level: verdict.Should, // the next flag will be bit 38
			English:     "clone3 refuses bit 38 with EINVAL, and bit 34 (CLONE_AUTOREAP) before 7.1.",
			Chinese:     "clone3 以 EINVAL 拒绝第 38 位，以及 7.1 之前的第 34 位（CLONE_AUTOREAP）。",
			Source:      "clone3_args_valid in kernel/fork.c; include/uapi/linux/sched.h of 7.1; observed on 5.10 to 7.3",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(func(f facts.Facts) want {
				return want{
					"clone3 bit 38":   refused,
					"clone3 autoreap": since(history.AutoReap(f), accepted, refused),
				}
			}),
		},
		{
			ID: "CL-039", Level: verdict.Should,
			English:     "clone3 accepts CLONE_PIDFD for a thread from 6.9 on and refuses it with EINVAL before.",
			Chinese:     "从 6.9 起 clone3 接受对线程使用 CLONE_PIDFD，此前以 EINVAL 拒绝。",
			Source:      "commit 83b290c9e3b5; copy_process in kernel/fork.c of 5.10, 6.1 and 7.2",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(func(f facts.Facts) want {
				return want{"clone3 pidfd of a thread": since(history.PidfdOfThread(f), accepted, refused)}
			}),
		},
		{
			ID: "CL-040", Level: verdict.Should,
			English:     "clone3 accepts bit 35 (CLONE_NNP) from 7.1 on and refuses it with EINVAL before.",
			Chinese:     "从 7.1 起 clone3 接受第 35 位（CLONE_NNP），此前以 EINVAL 拒绝。",
			Source:      "clone3_args_valid in kernel/fork.c of 6.1 and 7.2; of the same series as CLONE_AUTOREAP (7.1)",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(func(f facts.Facts) want {
				return want{"clone3 nnp": since(history.AutoReap(f), accepted, refused)}
			}),
		},
		{
			ID: "CL-043", Level: verdict.Should,
			English:     "From 7.1 on clone3 accepts bit 36 (CLONE_PIDFD_AUTOKILL) with all that it needs and bit 37 (CLONE_EMPTY_MNTNS), and refuses them with EINVAL before; it always refuses bit 36 alone.",
			Chinese:     "从 7.1 起 clone3 接受满足全部条件的第 36 位（CLONE_PIDFD_AUTOKILL）以及第 37 位（CLONE_EMPTY_MNTNS），此前以 EINVAL 拒绝；单独的第 36 位始终被拒绝。",
			Source:      "include/uapi/linux/sched.h and copy_process in kernel/fork.c of 7.1: CLONE_PIDFD_AUTOKILL wants CLONE_PIDFD, CLONE_AUTOREAP and CLONE_NNP or CAP_SYS_ADMIN",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(func(f facts.Facts) want {
				answer := since(history.AutoReap(f), accepted, refused)
				return want{"clone3 autokill alone": refused, "clone3 autokill": answer, "clone3 empty_mntns": answer}
			}),
		},
		{
			ID: "CL-044", Level: verdict.Must,
			English:     "clone3 refuses the last bit of its flags, 63, which no kernel defines, with EINVAL.",
			Chinese:     "clone3 以 EINVAL 拒绝其标志的最后一位（第 63 位），没有内核定义它。",
			Source:      "Documentation/process/adding-syscalls.rst: a call with flags rejects unknown ones with EINVAL, so that later kernels can define them; clone(2): the flags mask; include/uapi/linux/sched.h of 5.4 to 7.3",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(always(want{"clone3 bit 63": refused})),
		},
		{
			ID: "CL-020", Level: verdict.Must,
			English:     "clone3 exists under the architecture's number and accepts a process and the Go runtime's thread.",
			Chinese:     "clone3 以本架构的调用号存在，并接受进程和 Go 运行时的线程。",
			Source:      "arch syscall tables; clone(2), HISTORY: clone3 since Linux 5.3; observed on 5.10 to 7.3",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(always(want{"clone3 process": accepted, "clone3 go thread": accepted})),
		},
		{
			ID: "CL-023", Level: verdict.Must,
			English:     "clone3 answers ENOSYS to everything or to nothing: a libc falls back to clone for good when it reads ENOSYS once.",
			Chinese:     "clone3 要么对所有参数都返回 ENOSYS，要么从不返回：libc 一旦读到 ENOSYS，就永远退回到 clone。",
			Source:      "errno(3): ENOSYS, function not implemented; syscalls(2): a call that the kernel lacks; sysdeps/unix/sysv/linux/clone-internal.c of glibc 2.34 and later falls back on ENOSYS alone",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Unfiltered("clone3", "dry.clone3 process", "ENOSYS", "EPERM")},
			Check: everyForm,
		},
		{
			ID: "CL-026", Level: verdict.Must,
			English:     "clone3 accepts a struct of exactly a page whose tail is zero, and refuses no struct at all.",
			Chinese:     "clone3 接受恰好一页且尾部为零的结构体，拒绝空指针。",
			Source:      "Documentation/process/adding-syscalls.rst: memory beyond what the kernel expects must be zero, so that programs for later kernels run; clone(2): cl_args is a structure in memory",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: sizes([]string{"size of a page"}, "without a struct"),
		},
		{
			ID: "CL-025", Level: verdict.Must,
			English:     "clone3 takes CLONE_NEWTIME for a flag and for no signal.",
			Chinese:     "clone3 把 CLONE_NEWTIME 当作标志，而不是信号。",
			Source:      "include/uapi/linux/sched.h: flags that intersect with CSIGNAL, CLONE_NEWTIME alone, can be used with unshare and clone3 only; clone(2): the signal of clone3 is in exit_signal; clone3_args_valid in kernel/fork.c of 5.10.223, 6.1 and 7.2",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3(), feature.NewTime()},
			Check: answers(always(want{"clone3 newtime": accepted})),
		},
	}
}

// sizes makes a check of structs that clone3 must accept, and of those that it must refuse
// with whatever error.
func sizes(valid []string, invalid ...string) func(gomega.Gomega, claim.Transcript, facts.Facts) {
	return expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
		for _, step := range valid {
			meets(g, t, a, in, "clone3 "+step, accepted)
		}
		limited(t, in)
		for _, step := range invalid {
			o := t.Step(in + "clone3 " + step)
			g.Expect(o.OK()).To(gomega.BeFalse(), "step %s: %s makes a child", o.Step, o.Call)
			g.Expect(a.ErrnoName(o.Errno)).NotTo(gomega.Equal(accepted), "step %s: %s is refused for the limit alone", o.Step, o.Call)
		}
	})
}

// clone3Forms are the forms of clone3 that every recording has.
func clone3Forms() []string {
	return []string{
		"clone3 go thread", "clone3 size 64", "clone3 size 80", "clone3 size 0", "clone3 size 63", "clone3 size beyond a page",
		"clone3 zero tail", "clone3 tail that is not zero",
		"clone3 exit signal after the last", "clone3 exit signal 256", "clone3 exit signal in the flags",
		"clone3 detached", "clone3 clear_sighand", "clone3 clear_sighand with sighand", "clone3 newtime",
		"clone3 stack without size", "clone3 size without stack",
		"clone3 set_tid without size", "clone3 size without set_tid", "clone3 set_tid_size 33",
		"clone3 thread with exit signal", "clone3 parent with exit signal", "clone3 into_cgroup in a short struct",
		"clone3 autoreap", "clone3 bit 38", "clone3 bit 63",
	}
}

// everyForm expects that a call exists for all of its forms, or for none.
func everyForm(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
	limited(t, in)
	missing := expect.Table(f).Errno("ENOSYS")
	process := t.Step(in + "clone3 process")
	lacks := !process.OK() && process.Errno == missing
	for _, form := range clone3Forms() {
		o := t.Step(in + form)
		g.Expect(!o.OK() && o.Errno == missing).To(gomega.Equal(lacks), "%s: %s answers ENOSYS, as %s does", o.Step, o.Call, process.Call)
	}
}
