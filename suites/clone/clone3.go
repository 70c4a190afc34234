package clone

import (
	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
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
			English:     "clone3 accepts every published size of its struct and a longer one whose tail is zero, and refuses shorter ones with EINVAL and unknown content or more than a page with E2BIG.",
			Chinese:     "clone3 接受其结构体的每个已发布大小，以及尾部为零的更大结构体；更小的以 EINVAL 拒绝，含未知内容或超过一页的以 E2BIG 拒绝。",
			Source:      "copy_clone_args_from_user in kernel/fork.c; selftests clone3.c",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(always(want{
				"clone3 size 64": accepted, "clone3 size 80": accepted, "clone3 process": accepted, "clone3 zero tail": accepted,
				"clone3 size 0": refused, "clone3 size 63": refused,
				"clone3 size beyond a page": tooBig, "clone3 tail that is not zero": tooBig,
			})),
		},
		{
			ID: "CL-012", Level: verdict.Must,
			English:     "clone3 refuses an exit signal that is no signal, and a signal in the flags, with EINVAL.",
			Chinese:     "clone3 以 EINVAL 拒绝不是信号的退出信号号码，以及放在标志中的信号。",
			Source:      "copy_clone_args_from_user and clone3_args_valid in kernel/fork.c",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(always(want{
				"clone3 exit signal after the last": refused, "clone3 exit signal 256": refused,
				"clone3 exit signal in the flags": refused,
			})),
		},
		{
			ID: "CL-013", Level: verdict.Must,
			English:     "clone3 accepts CLONE_CLEAR_SIGHAND and CLONE_NEWTIME, and refuses CLONE_DETACHED, and CLONE_CLEAR_SIGHAND with CLONE_SIGHAND, with EINVAL.",
			Chinese:     "clone3 接受 CLONE_CLEAR_SIGHAND 和 CLONE_NEWTIME，以 EINVAL 拒绝 CLONE_DETACHED 以及 CLONE_CLEAR_SIGHAND 与 CLONE_SIGHAND 并用。",
			Source:      "clone3_args_valid in kernel/fork.c",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(always(want{
				"clone3 clear_sighand": accepted, "clone3 newtime": accepted,
				"clone3 detached": refused, "clone3 clear_sighand with sighand": refused,
			})),
		},
		{
			ID: "CL-014", Level: verdict.Must,
			English:     "clone3 refuses with EINVAL arguments that need each other and come alone, or that exclude each other and come together.",
			Chinese:     "clone3 以 EINVAL 拒绝相互依赖却单独出现、或相互排斥却同时出现的参数。",
			Source:      "clone3_stack_valid, clone3_args_valid and copy_clone_args_from_user in kernel/fork.c",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(always(want{
				"clone3 stack without size": refused, "clone3 size without stack": refused,
				"clone3 set_tid without size": refused, "clone3 size without set_tid": refused, "clone3 set_tid_size 33": refused,
				"clone3 thread with exit signal": refused, "clone3 parent with exit signal": refused,
				"clone3 into_cgroup in a short struct": refused,
			})),
		},
		{
			ID: "CL-015", Level: verdict.Should,
			English:     "clone3 refuses flag bits that it does not know with EINVAL: 38 and 63, and 34 (CLONE_AUTOREAP) before 7.1.",
			Chinese:     "clone3 以 EINVAL 拒绝它不认识的标志位：38、63，以及 7.1 之前的 34（CLONE_AUTOREAP）。",
			Source:      "clone3_args_valid in kernel/fork.c; include/uapi/linux/sched.h of 7.1; observed on 5.10 to 7.3",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(func(f facts.Facts) want {
				return want{
					"clone3 bit 38": refused, "clone3 bit 63": refused,
					"clone3 autoreap": since(history.AutoReap(f), accepted, refused),
				}
			}),
		},
		{
			ID: "CL-020", Level: verdict.Must,
			English:     "clone3 exists under the architecture's number and accepts a process and the Go runtime's thread.",
			Chinese:     "clone3 以本架构的调用号存在，并接受进程和 Go 运行时的线程。",
			Source:      "arch syscall tables; observed on 5.10 to 7.3",
			Unsupported: claim.Where(hasClone3), Features: []claim.Feature{feature.Clone3()},
			Check: answers(always(want{"clone3 process": accepted, "clone3 go thread": accepted})),
		},
	}
}
