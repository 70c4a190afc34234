package limits

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// full is the error of clone at every limit of processes and threads.
const full = "EAGAIN"

// unprivileged stops the check unless a child ran as a user to whom RLIMIT_NPROC
// applies.
func unprivileged(t claim.Transcript, step string) {
	o := t.Step(step)
	unless(o.Value("uid") == "0" || o.Uint("capeff") != 0, o, "capeff", "the child is privileged")
}

// own returns the number of threads of the limited process itself. It stops the
// check if that number changed meanwhile: a count would mean nothing.
func own(o claim.Observation) int {
	unless(o.Int("threads") != o.Int("threads.after"), o, "threads.after", "the probe's own threads changed meanwhile")
	return o.Int("threads")
}

func processClaims() []claim.Claim {
	const user = "nproc.user."
	return []claim.Claim{
		{
			ID: "LM-001", Level: verdict.Must,
			English: "A user without privilege can have exactly as many processes and threads as RLIMIT_NPROC says, and clone refuses the next one with EAGAIN.",
			Chinese: "无特权用户的进程和线程总数恰好可以达到 RLIMIT_NPROC，clone 以 EAGAIN 拒绝再多一个。",
			Source:  "getrlimit(2), RLIMIT_NPROC: as long as the number of processes of the real user ID is greater than or equal to this limit, fork(2) fails with the error EAGAIN; observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				unprivileged(t, user+"who")
				prepared(t, user+"limit")
				o := t.Step(user + "refused")
				errno(g, f, o, full)
				count(g, o, "made", o.Int("limit")-own(o))
				lived(g, t, user+"ended")
			},
		},
		{
			ID: "LM-101", Level: verdict.Must,
			English: "When one process of a user at RLIMIT_NPROC has gone, exactly one clone succeeds again.",
			Chinese: "达到 RLIMIT_NPROC 的用户有一个进程消失后，恰好可以再成功 clone 一次。",
			Source:  "getrlimit(2), RLIMIT_NPROC: as long as the number of processes of the real user ID is greater than or equal to this limit, fork(2) fails with the error EAGAIN; observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				unprivileged(t, user+"who")
				prepared(t, user+"limit")
				recovers(g, t, f, user, full)
				expect.OK(g, t.Step(user+"recovered"))
			},
		},
		{
			ID: "LM-102", Level: verdict.Must,
			English: "A process that has ended counts against RLIMIT_NPROC until it is waited for.",
			Chinese: "已结束的进程在被 wait 之前仍计入 RLIMIT_NPROC。",
			Source:  "getrlimit(2), RLIMIT_NPROC: as long as the number of processes of the real user ID is greater than or equal to this limit, fork(2) fails with the error EAGAIN; wait(2): a zombie consumes a slot in the kernel process table until it is waited for; observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				unprivileged(t, user+"who")
				prepared(t, user+"limit")
				o := t.Step(user + "zombie.refused")
				unless(o.Int("dead") != o.Int("made"), o, "dead", "some children had not ended")
				errno(g, f, o, full)
				count(g, o, "made", o.Int("limit")-own(o))
				recovers(g, t, f, user+"zombie.", full)
			},
		},
		{
			ID: "LM-024", Level: verdict.Must,
			English: "The clone by which os/exec starts programs (CLONE_VFORK|CLONE_VM) is refused at RLIMIT_NPROC with EAGAIN as well, and works again when a process has gone.",
			Chinese: "os/exec 启动程序所用的 clone（CLONE_VFORK|CLONE_VM）在 RLIMIT_NPROC 处同样以 EAGAIN 被拒绝，有进程消失后恢复正常。",
			Source:  "getrlimit(2), RLIMIT_NPROC: as long as the number of processes of the real user ID is greater than or equal to this limit, fork(2) fails with the error EAGAIN; vfork(2), ERRORS: the same as for fork(2); os/exec in Go syscall/exec_linux.go; observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				unprivileged(t, user+"who")
				prepared(t, user+"limit")
				errno(g, f, t.Step(user+"refused"), full)
				errno(g, f, t.Step(user+"exec.refused"), full)
				expect.OK(g, t.Step(user+"exec.again"))
			},
		},
		{
			ID: "LM-025", Level: verdict.Must,
			English: "A process that becomes a user with more processes than RLIMIT_NPROC is told so by execve, with EAGAIN.",
			Chinese: "进程切换到进程数已超过 RLIMIT_NPROC 的用户后，由 execve 以 EAGAIN 报告。",
			Source:  "execve(2), ERRORS: EAGAIN (since Linux 3.1), having changed its real UID, the caller was and is now still above its RLIMIT_NPROC resource limit; observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "setuid.limit")
				o := t.Step("setuid.setuid")
				expect.OK(g, o)
				g.Expect(o.Int("children")).To(gomega.BeNumerically(">", 0), "living processes of the user")
				errno(g, f, t.Step("setuid.exec"), full)
				lived(g, t, "setuid.ended")
			},
		},
		{
			ID: "LM-121", Level: verdict.Must,
			English: "An execve that was refused for RLIMIT_NPROC succeeds when the user's other processes have gone.",
			Chinese: "因 RLIMIT_NPROC 被拒绝的 execve，在该用户的其他进程消失后成功。",
			Source:  "execve(2), execve() and EAGAIN: execve() fails only if the resource limit is still exceeded when it is called; observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "setuid.limit")
				errno(g, f, t.Step("setuid.exec"), full)
				o := t.Step("setuid.executed.who")
				expect.OK(g, o)
				g.Expect(o.Int("uid")).To(gomega.BeNumerically(">", 0), "the user of the executed program")
			},
		},
	}
}

// exempted expects that a child made all the processes it tried, each alive,
// although its limit was exceeded already.
func exempted(g gomega.Gomega, t claim.Transcript, prefix string) {
	prepared(t, prefix+"limit")
	o := t.Step(prefix + "filled")
	expect.OK(g, o)
	ended := t.Step(prefix + "ended")
	count(g, ended, "children", o.Int("made"))
	lived(g, t, prefix+"ended")
}

func exemptionClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "LM-002", Level: verdict.Must,
			English: "RLIMIT_NPROC does not concern real root, not even without any capability.",
			Chinese: "RLIMIT_NPROC 不约束真正的 root，即使它没有任何 capability。",
			Source:  "getrlimit(2): the RLIMIT_NPROC limit is not enforced for processes that have the CAP_SYS_ADMIN or the CAP_SYS_RESOURCE capability, or run with real user ID 0; observed on 4.19 and 5.10 to 7.3",
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				exempted(g, t, "nproc.root.")
				o := t.Step("nproc.nocaps.in.who")
				unless(o.Value("uid") != "0" || o.Uint("capeff") != 0, o, "capeff", "the child is not root without capabilities")
				exempted(g, t, "nproc.nocaps.in.")
			},
		},
		{
			ID: "LM-003", Level: verdict.Must,
			English:  "CAP_SYS_RESOURCE alone, and CAP_SYS_ADMIN alone, exempt another user from RLIMIT_NPROC.",
			Chinese:  "单独的 CAP_SYS_RESOURCE 或单独的 CAP_SYS_ADMIN 都能使其他用户不受 RLIMIT_NPROC 约束。",
			Source:   "getrlimit(2): the RLIMIT_NPROC limit is not enforced for processes that have the CAP_SYS_ADMIN or the CAP_SYS_RESOURCE capability, or run with real user ID 0; capabilities(7); observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.Capability("CAP_SYS_RESOURCE", 24), feature.Capability("CAP_SYS_ADMIN", 21)},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				// include/uapi/linux/capability.h
				for _, right := range []struct {
					prefix     string
					capability uint
				}{{"nproc.resource.", 24}, {"nproc.admin.", 21}} {
					prefix, capability := right.prefix, right.capability
					o := t.Step(prefix + "who")
					unless(o.Value("uid") == "0" || o.Uint("capeff") != 1<<capability, o, "capeff", "the child has not just the one capability")
					exempted(g, t, prefix)
				}
			},
		},
	}
}

func deadlineClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "LM-026", Level: verdict.Must,
			English:  "clone refuses a thread of SCHED_DEADLINE with EAGAIN, root included and under no limit, and works again under another policy.",
			Chinese:  "clone 以 EAGAIN 拒绝 SCHED_DEADLINE 线程，即使是 root 且未受任何限制；换成其他调度策略后恢复正常。",
			Source:   "sched(7): a call to fork(2) by a thread scheduled under the SCHED_DEADLINE policy fails with the error EAGAIN, unless the thread has its reset-on-fork flag set; fork(2), ERRORS; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.DeadlinePolicy()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				prepared(t, "deadline.set")
				errno(g, f, t.Step("deadline.clone"), full)
				prepared(t, "deadline.normal")
				expect.OK(g, t.Step("deadline.normal.clone"))
			},
		},
		{
			ID: "LM-122", Level: verdict.Must,
			English:  "With SCHED_FLAG_RESET_ON_FORK a thread of SCHED_DEADLINE can clone.",
			Chinese:  "带 SCHED_FLAG_RESET_ON_FORK 的 SCHED_DEADLINE 线程可以 clone。",
			Source:   "sched(7): the same, unless the thread has its reset-on-fork flag set; observed on 4.19 and 5.10 to 7.3",
			Features: []claim.Feature{feature.DeadlinePolicy()},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				prepared(t, "deadline.reset")
				expect.OK(g, t.Step("deadline.reset.clone"))
			},
		},
	}
}
