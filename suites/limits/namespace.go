package limits

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
	"github.com/mapstack/conformance/suites/internal/history"
)

// inUserNamespace stops the check unless the limited child is root of a user
// namespace.
func inUserNamespace(t claim.Transcript, prefix string) claim.Observation {
	o := t.Step(prefix + "who")
	unless(o.Value("uid") != "0" || o.Uint("capeff") == 0, o, "uid", "the child is not root of a user namespace")
	prepared(t, prefix+"limit")
	return t.Step(prefix + "refused")
}

func namespaceClaims() []claim.Claim {
	const inside = "nproc.usersns.in."
	return []claim.Claim{
		{
			ID: "LM-004", Level: verdict.Must,
			English:  "Being root of a user namespace that an unprivileged user made exempts nobody from RLIMIT_NPROC: clone refuses with EAGAIN.",
			Chinese:  "在无特权用户创建的 user namespace 中成为 root 并不能豁免 RLIMIT_NPROC：clone 以 EAGAIN 拒绝。",
			Source:   "getrlimit(2): the RLIMIT_NPROC limit is not enforced for processes that have the CAP_SYS_ADMIN or the CAP_SYS_RESOURCE capability, or run with real user ID 0; user_namespaces(7): a process in a user namespace has no capabilities outside of it; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.UserNamespacesOfUsers()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := inUserNamespace(t, inside)
				errno(g, f, o, full)
				g.Expect(o.Int("made")).To(gomega.BeNumerically("<=", o.Int("limit")-own(o)), "processes made under RLIMIT_NPROC")
				lived(g, t, inside+"ended")
			},
		},
		{
			ID: "LM-103", Level: verdict.Should,
			English:  "RLIMIT_NPROC counts a user's processes per user namespace from 5.14 on, and all of them together before.",
			Chinese:  "从 5.14 起 RLIMIT_NPROC 按 user namespace 分别统计用户的进程，此前统计其全部进程。",
			Source:   "commit 21d1c5e386bc (5.14); observed on 5.10, 6.1 and later",
			Features: []claim.Feature{feature.UserNamespacesOfUsers()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				o := inUserNamespace(t, inside)
				errno(g, f, o, full)
				unless(o.Int("parent") == 0, o, "parent", "no thread of the user is outside the namespace")
				outside := o.Int("parent")
				if history.ProcessesPerUserNamespace(f) {
					outside = 0
				}
				count(g, o, "made", o.Int("limit")-own(o)-outside)
			},
		},
		{
			ID: "LM-104", Level: verdict.Must,
			English:  "In a user namespace made by real root and mapped to it, RLIMIT_NPROC concerns root as little as outside.",
			Chinese:  "在真正的 root 创建并映射到自身的 user namespace 中，RLIMIT_NPROC 与外部一样不约束 root。",
			Source:   "getrlimit(2): the RLIMIT_NPROC limit is not enforced for processes that have the CAP_SYS_ADMIN or the CAP_SYS_RESOURCE capability, or run with real user ID 0; user_namespaces(7): the user ID that a process has is that of the initial namespace; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.UserNamespacesOfRoot()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				exempted(g, t, "nproc.rootsns.")
			},
		},
		{
			ID: "CL-017", Level: verdict.Must,
			English:  "clone into a PID namespace whose first process has ended is refused with ENOMEM.",
			Chinese:  "向首个进程已结束的 PID namespace 中 clone，以 ENOMEM 拒绝。",
			Source:   "pid_namespaces(7): after the init process has terminated, a subsequent fork(2) into this PID namespace fails with the error ENOMEM; fork(2), ERRORS; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.UnsharedPIDNamespace()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "deadns.unshare")
				expect.OK(g, t.Step("deadns.init"))
				errno(g, f, t.Step("deadns.fork"), "ENOMEM")
			},
		},
		{
			ID: "CL-101", Level: verdict.Must,
			English:  "A dead PID namespace concerns only the thread that unshared it: other threads of the process can still clone.",
			Chinese:  "失效的 PID namespace 只影响执行 unshare 的线程：该进程的其他线程仍可 clone。",
			Source:   "pid_namespaces(7): unshare(2) with CLONE_NEWPID concerns the children that the calling process creates afterwards, and unshare(2) acts on the calling thread; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.UnsharedPIDNamespace()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "deadns.unshare")
				errno(g, f, t.Step("deadns.fork"), "ENOMEM")
				expect.OK(g, t.Step("deadns.elsewhere"))
			},
		},
		{
			ID: "LM-008", Level: verdict.Should,
			English:  "kernel.pid_max written inside a PID namespace is that namespace's own from 6.14 on, and everybody's before.",
			Chinese:  "在 PID namespace 内写入的 kernel.pid_max 从 6.14 起只属于该 namespace，此前对全系统生效。",
			Source:   "commit 7863dcc72d0f; observed on 5.10 to 6.12 and from 7.2 on",
			Features: []claim.Feature{feature.WritableSysctl("kernel.pid_max", "pidns"), feature.UnsharedPIDNamespace()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				inner := t.Step("pidns.child.write")
				expect.OK(g, inner)
				t.Ended("pidns.child")
				o := t.Step("pidns.outside")
				unless(o.Value("before") == inner.Value("value"), o, "before", "the value written is the one there was")
				want := inner.Value("value")
				if history.PIDMaxPerNamespace(f) {
					want = o.Value("before")
				}
				g.Expect(o.Value("after")).To(gomega.Equal(want), "kernel.pid_max outside the namespace")
			},
		},
	}
}

func userNamespaceClaims() []claim.Claim {
	const noSpace = "ENOSPC"
	return []claim.Claim{
		{
			ID: "CL-018", Level: verdict.Should,
			English:  "clone gives a user without privilege a user namespace.",
			Chinese:  "clone 允许无特权用户创建 user namespace。",
			Source:   "create_user_ns in kernel/user_namespace.c; SHOULD because a distribution may forbid it",
			Finding:  "what-old-and-lean-kernels-lack",
			Features: []claim.Feature{feature.WritableSysctl("user.max_user_namespaces", "userns")},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("userns.plain")
				expect.OK(g, o)
				g.Expect(o.Result()).To(gomega.BeNumerically(">", 0), "the child's ID")
			},
		},
		{
			ID: "CL-102", Level: verdict.Should,
			English:  "Where kernel.unprivileged_userns_clone exists, 0 makes clone refuse unprivileged users a user namespace with EPERM.",
			Chinese:  "存在 kernel.unprivileged_userns_clone 时，其值为 0 使 clone 以 EPERM 拒绝无特权用户创建 user namespace。",
			Source:   "a patch of Debian to kernel/fork.c; observed on Debian's kernels of 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("user.max_user_namespaces", "userns"), feature.UserNamespacesOfUsers(), feature.Sysctl("kernel.unprivileged_userns_clone")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "userns.debian")
				errno(g, f, t.Step("userns.debian.clone"), "EPERM")
			},
		},
		{
			ID: "CL-103", Level: verdict.Must,
			English:  "A user can have exactly as many user namespaces as user.max_user_namespaces says, none if that is 0, and clone refuses the next one with ENOSPC.",
			Chinese:  "用户的 user namespace 数恰好可以达到 user.max_user_namespaces（为 0 时一个也不行），clone 以 ENOSPC 拒绝再多一个。",
			Source:   "namespaces(7): max_user_namespaces is a per-user limit on the number of user namespaces, and clone(2) and unshare(2) then fail with the error ENOSPC; user_namespaces(7); observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("user.max_user_namespaces", "userns"), feature.UserNamespacesOfUsers()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				limit := prepared(t, "userns.limit").Int("limit")
				o := t.Step("userns.refused")
				errno(g, f, o, noSpace)
				count(g, o, "made", limit)
				lived(g, t, "userns.ended")
				prepared(t, "userns.zero")
				errno(g, f, t.Step("userns.zero.clone"), noSpace)
			},
		},
		{
			ID: "CL-104", Level: verdict.Must,
			English:  "When the only process of a user namespace has gone, the user at user.max_user_namespaces can make another.",
			Chinese:  "某个 user namespace 的唯一进程消失后，达到 user.max_user_namespaces 的用户可以再创建一个。",
			Source:   "namespaces(7): a namespace is torn down when the last process in it terminates, and max_user_namespaces limits how many may be created; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.WritableSysctl("user.max_user_namespaces", "userns"), feature.UserNamespacesOfUsers()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "userns.limit")
				errno(g, f, t.Step("userns.refused"), noSpace)
				expect.OK(g, t.Step("userns.again"))
			},
		},
	}
}
