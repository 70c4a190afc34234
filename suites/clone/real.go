package clone

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// sysAdmin is CAP_SYS_ADMIN (capabilities(7)).
const sysAdmin = 21

// realClaims are about children that are really made.
func realClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "CL-029", Level: verdict.Must,
			English:  "clone with CLONE_PIDFD stores at parent_tid a descriptor that refers to the child and is closed on exec.",
			Chinese:  "带 CLONE_PIDFD 的 clone 在 parent_tid 处存入一个指向子进程、执行 exec 时关闭的描述符。",
			Source:   "clone(2): CLONE_PIDFD",
			Features: []claim.Feature{feature.PidFD()},
			Check:    pidfd("pidfd of a child"),
		},
		{
			ID: "CL-034", Level: verdict.Must,
			English: "A thread with the flags of glibc or of musl runs on its stack; clone stores its ID at parent_tid, and its end clears child_tid and wakes who waits there.",
			Chinese: "以 glibc 或 musl 的标志创建的线程在其栈上运行；clone 把线程 ID 写入 parent_tid，线程结束时清零 child_tid 并唤醒等待者。",
			Source:  "clone(2): the stack argument, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID; glibc nptl/pthread_create.c; musl src/thread/pthread_create.c",
			Needs:   []abi.Feature{abi.Trace},
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				thread(g, t.Step("libc.glibc"))
				thread(g, t.Step("libc.musl"))
			},
		},
		{
			ID: "CL-036", Level: verdict.Must,
			English:  "clone puts a child into a new namespace of every kind that /proc/self/ns shows, and refuses a kind that the kernel does not have with EINVAL.",
			Chinese:  "对 /proc/self/ns 显示的每种命名空间，clone 都能把子进程放入新的命名空间；内核没有的种类以 EINVAL 拒绝。",
			Source:   "clone(2): CLONE_NEWCGROUP to CLONE_NEWUTS, and ERRORS: EINVAL; namespaces(7): /proc/pid/ns",
			Features: []claim.Feature{feature.Capability("CAP_SYS_ADMIN", sysAdmin), feature.Unfiltered("clone of namespaces", "namespaces.uts", "EPERM")},
			Check:    expect.WithTable(eachNamespace),
		},
		{
			ID: "CL-037", Level: verdict.Must,
			English:  "clone refuses CLONE_NEWIPC with CLONE_SYSVSEM with EINVAL.",
			Chinese:  "clone 以 EINVAL 拒绝 CLONE_NEWIPC 与 CLONE_SYSVSEM 并用。",
			Source:   "clone(2), ERRORS: EINVAL",
			Features: []claim.Feature{feature.Capability("CAP_SYS_ADMIN", sysAdmin), feature.Unfiltered("clone of namespaces", "namespaces.ipc with sysvsem", "EPERM")},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				expect.Errno(g, expect.Table(f), t.Step("namespaces.ipc with sysvsem"), refused)
			},
		},
	}
}

// realClone3Claims are about children that clone3 really makes, one field of its struct
// after the other. The probe gives each a stack, by a way that alpha does not have.
func realClone3Claims() []claim.Claim {
	claims := []claim.Claim{
		{
			ID: "CL-024", Level: verdict.Must,
			English:  "A child that clone3 makes with CLONE_CLEAR_SIGHAND handles no signal; one without it handles those of its parent.",
			Chinese:  "clone3 以 CLONE_CLEAR_SIGHAND 创建的子进程不处理任何信号；没有该标志的子进程沿用父进程的处理函数。",
			Source:   "clone(2): CLONE_CLEAR_SIGHAND; proc_pid_status(5): SigCgt",
			Features: []claim.Feature{feature.ClearSighand()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				meets(g, t, expect.Table(f), in, "clone3 clear_sighand", accepted)
				shows(g, t.Step("clone3.sighand"), "caught", "true")
				shows(g, t.Step("clone3.clear_sighand"), "caught", "false")
			},
		},
		{
			ID: "CL-027", Level: verdict.Must,
			English: "clone3 takes a stack by its lowest address and its size, and starts the child at the upper end.",
			Chinese: "clone3 以最低地址和大小给出栈，子进程从高端开始运行。",
			Source:  "clone(2): cl_args.stack is the lowest byte of the stack area and stack_size its size; glibc 2.34 and later makes every thread so",
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				shows(g, t.Step("clone3.stack"), "on-stack", "true")
			},
		},
		{
			ID: "CL-028", Level: verdict.Must,
			English: "clone3 stores the child's ID at parent_tid and, in the child, at child_tid, before the child runs.",
			Chinese: "clone3 在子进程运行之前把其 ID 写入 parent_tid，并在子进程中写入 child_tid。",
			Source:  "clone(2): CLONE_PARENT_SETTID, CLONE_CHILD_SETTID",
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step("clone3.tids")
				shows(g, o, "parent-tid", "true")
				shows(g, o, "child-tid", "true")
			},
		},
		{
			ID: "CL-030", Level: verdict.Must,
			English:  "clone3 with CLONE_PIDFD stores at pidfd a descriptor that refers to the child and is closed on exec.",
			Chinese:  "带 CLONE_PIDFD 的 clone3 在 pidfd 处存入一个指向子进程、执行 exec 时关闭的描述符。",
			Source:   "clone(2): CLONE_PIDFD",
			Features: []claim.Feature{feature.PidFD()},
			Check:    pidfd("clone3.pidfd"),
		},
		{
			ID: "CL-031", Level: verdict.Must,
			English:  "clone3 gives a process the ID that set_tid asks for, and refuses one in use with EEXIST.",
			Chinese:  "clone3 给进程分配 set_tid 所要求的 ID；已被占用的以 EEXIST 拒绝。",
			Source:   "clone(2): The set_tid array, and ERRORS: EEXIST",
			Features: []claim.Feature{feature.SetTID(), feature.Capability("CAP_SYS_ADMIN", sysAdmin)},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				shows(g, t.Step("clone3.set_tid"), "chosen", "true")
				expect.Errno(g, expect.Table(f), t.Step("clone3.set_tid in use"), "EEXIST")
			},
		},
		{
			ID: "CL-032", Level: verdict.Must,
			English:  "clone3 with CLONE_INTO_CGROUP starts the child in the control group of a descriptor.",
			Chinese:  "带 CLONE_INTO_CGROUP 的 clone3 使子进程在描述符所指的控制组中开始运行。",
			Source:   "clone(2): CLONE_INTO_CGROUP; cgroups(7): cgroup.procs",
			Features: []claim.Feature{feature.IntoCgroup(), feature.NewGroup()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				meets(g, t, expect.Table(f), in, "clone3 into_cgroup", accepted)
				shows(g, t.Step("clone3.into_cgroup"), "inside", "true")
			},
		},
		{
			ID: "CL-033", Level: verdict.Should,
			English:  "clone3 with CLONE_INTO_CGROUP refuses a descriptor that is no control group, or that is not open, with EBADF.",
			Chinese:  "带 CLONE_INTO_CGROUP 的 clone3 以 EBADF 拒绝不是控制组或未打开的描述符。",
			Source:   "cgroup_css_set_fork and cgroup_get_from_file in kernel/cgroup/cgroup.c of 5.10, 6.1 and 7.2; open(2) and others give EBADF for a descriptor that is not open",
			Features: []claim.Feature{feature.IntoCgroup(), feature.NewGroup()},
			Check: func(g gomega.Gomega, t claim.Transcript, f facts.Facts) {
				expect.Errno(g, expect.Table(f), t.Step("clone3.into_cgroup of a device"), "EBADF")
				expect.Errno(g, expect.Table(f), t.Step("clone3.into_cgroup of no file"), "EBADF")
			},
		},
		{
			ID: "CL-035", Level: verdict.Must,
			English: "A thread that clone3 makes with glibc's flags runs on its stack; clone3 stores its ID at parent_tid, and its end clears child_tid and wakes who waits there.",
			Chinese: "clone3 以 glibc 的标志创建的线程在其栈上运行；clone3 把线程 ID 写入 parent_tid，线程结束时清零 child_tid 并唤醒等待者。",
			Source:  "clone(2): the stack, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID; glibc nptl/pthread_create.c of 2.34 and later",
			Check:   func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) { thread(g, t.Step("clone3 libc.thread")) },
		},
	}
	for i := range claims {
		claims[i].Needs = []abi.Feature{abi.Trace}
		claims[i].Unsupported = claim.Where(hasClone3)
		claims[i].Features = append([]claim.Feature{feature.Clone3()}, claims[i].Features...)
	}
	return claims
}

// shows expects that a child was made and that its step saw a value.
func shows(g gomega.Gomega, o claim.Observation, key, value string) {
	expect.OK(g, o)
	g.Expect(o.Value(key)).To(gomega.Equal(value), "step %s: %s: %s", o.Step, o.Call, key)
}

// pidfd makes a check of a step that asked for the descriptor of a child.
func pidfd(step string) func(gomega.Gomega, claim.Transcript, facts.Facts) {
	return func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
		o := t.Step(step)
		for _, key := range []string{"stored", "refers", "cloexec"} {
			shows(g, o, key, "true")
		}
	}
}

// thread expects all that a libc relies on when it makes a thread.
func thread(g gomega.Gomega, o claim.Observation) {
	for _, key := range []string{"parent-tid", "on-stack", "cleared"} {
		shows(g, o, key, "true")
	}
}

// eachNamespace expects a child in a new namespace of each kind. A limit of the system may
// refuse one (user.max_*_namespaces: ENOSPC), and a user namespace needs more than the
// capability (clone(2): EPERM in a chroot; a security module: EACCES).
func eachNamespace(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
	for _, kind := range []string{"mnt", "cgroup", "uts", "ipc", "user", "pid", "net"} {
		o := t.Step("namespaces." + kind)
		has := o.Value("has") == "true"
		switch {
		case !o.OK() && has && (o.Errno == a.Errno("ENOSPC") || kind == "user" && (o.Errno == a.Errno("EPERM") || o.Errno == a.Errno("EACCES"))):
		case has:
			shows(g, o, "new", "true")
		case kind != "cgroup": // the kernel ignores this flag if it has no control groups
			expect.Errno(g, a, o, refused)
		}
	}
}
