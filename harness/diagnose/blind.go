package diagnose

import (
	"strings"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/matrix/release"
)

// unseen names the limits that may have refused a task and cannot be read from here.
func unseen(e Evidence) (causes []Cause) {
	s := e.State
	if s.PID == 0 {
		return []Cause{{ID: "nothing-read", Certainty: MayBe, Where: "/proc",
			Why: say("nothing can be read of the program and its limits (%[1]v)", "无法读取该程序及其限制（%[1]v）", e.problem()),
			Raise: []Remedy{
				run(say("in the chroot or container, before mapstack runs", "在 chroot 或容器内，运行 mapstack 之前"), "mount -t proc proc /proc"),
				run(say("or from outside of it", "或在其外部"), "mapstack diagnose --pid PID"),
			}}}
	}
	if c, ok := keptByNamespace(e); ok {
		causes = append(causes, c)
	}
	causes = append(causes, groupsUnseen(s)...)
	if c, ok := numbersUnseen(s); ok {
		causes = append(causes, c)
	}
	if c, ok := limitsUnread(s); ok {
		causes = append(causes, c)
	}
	return causes
}

// groupsUnseen names the control groups that may be full and cannot be read.
func groupsUnseen(s census.Census) (causes []Cause) {
	add := func(why Text, remedy Remedy) {
		causes = append(causes, Cause{ID: "cgroup-unseen", Certainty: MayBe, Where: "pids.max", Why: why, Raise: []Remedy{remedy}})
	}
	switch s.Groups.Unseen {
	case census.NotMounted:
		add(say("the control group of the program cannot be read, because no cgroup file system is mounted here; it may be full", "无法读取该程序的控制组：这里没有挂载 cgroup 文件系统；该组可能已满"),
			mountGroups(s))
	case census.OtherNamespace:
		add(say("the control group of the program cannot be found: it is in another cgroup namespace than the mounts here, or in a part of the tree that is not mounted; it may be full",
			"找不到该程序的控制组：它与这里的挂载不在同一个 cgroup 命名空间，或位于未挂载的部分；该组可能已满"),
			run(say("to let mapstack see it: outside of the namespace", "让 mapstack 能看到它：在该命名空间之外"), "mapstack diagnose --pid PID"))
	case census.Unreadable:
		add(say("the control group of the program cannot be read (%[1]s); it may be full", "无法读取该程序的控制组（%[1]s）；该组可能已满", s.Unknown["pids"]),
			run(say("to see which it is", "查看它是哪一个"), "cat /proc/%d/cgroup", s.PID))
	}
	if s.Groups.Hidden {
		causes = append(causes, Cause{ID: "cgroup-hidden", Certainty: MayBe, Where: "pids.max", Raise: raiseOutside(s),
			Why: say("a control group above those that this container shows may be full: that of the container, the pod or the service",
				"在该容器中看不到的上层控制组（容器、Pod 或服务的控制组）可能已满")})
	}
	return causes
}

// mountGroups mounts the hierarchy that counts tasks.
func mountGroups(s census.Census) Remedy {
	when := say("to let mapstack see it, as root", "让 mapstack 能看到它，需要 root")
	if s.Groups.UnseenVersion == 1 {
		return run(when, "mount -t cgroup -o pids pids /sys/fs/cgroup")
	}
	return run(when, "mount -t cgroup2 cgroup2 /sys/fs/cgroup")
}

// limitsUnread names the limits that could not be read, or whose use could not.
func limitsUnread(s census.Census) (Cause, bool) {
	unread := func(a census.Amount) bool { return a.State == census.Unread }
	var names []string
	if s.User.Exempt == "" && unread(s.User.Processes.Soft) {
		names = append(names, "RLIMIT_NPROC")
	}
	if unread(s.Tasks.Max) || unread(s.Tasks.Count) {
		names = append(names, "kernel.threads-max")
	}
	// A machine with fewer tasks than numbers has numbers left.
	numbers := s.Tasks.PIDMax
	numbers.N -= min(numbers.N, census.Reserved)
	if unread(numbers) || unread(s.Tasks.IDs) && !numbers.AtLeast(s.Tasks.Count) {
		names = append(names, "kernel.pid_max")
	}
	if len(names) == 0 {
		return Cause{}, false
	}
	list := strings.Join(names, ", ")
	return Cause{ID: "limit-unread", Certainty: MayBe, Where: "/proc",
		Why:   say("one of these may be used up, and cannot be read from here: %[1]s", "以下限制之一可能已用尽，但从这里无法读取：%[1]s", list),
		Raise: []Remedy{run(say("as root, outside of containers", "以 root 在容器之外运行"), "mapstack diagnose --pid PID")}}, true
}

// problem says why nothing could be read.
func (e Evidence) problem() error {
	if e.Problem != nil {
		return e.Problem
	}
	return census.ErrNoProc
}

// keptByNamespace judges the RLIMIT_NPROC that the kernel keeps for a user namespace
// since 5.14 (create_user_ns in kernel/user_namespace.c). No file shows it.
func keptByNamespace(e Evidence) (Cause, bool) {
	s := e.State
	if s.Namespaces.InitialUsers || s.Unknown["ns/user"] != "" || before514(s.Kernel) {
		return Cause{}, false
	}
	c := Cause{ID: "userns-nproc", Certainty: MayBe, Limit: e.Kept, Where: "RLIMIT_NPROC",
		Why: say("the program is in a user namespace. The kernel keeps for it the RLIMIT_NPROC of the moment when it was made, for all tasks of the user who made it; a limit that was raised later does not count, and no file shows the one that does",
			"程序位于用户命名空间中。内核为该命名空间保留其创建时的 RLIMIT_NPROC，对创建者的所有任务有效；之后提高的限制不起作用，也没有文件显示实际生效的值"),
		Raise: []Remedy{
			run(say("in the shell that makes the namespace (unshare, podman, bwrap), before it does", "在创建命名空间（unshare、podman、bwrap）的 shell 中，创建之前"), "ulimit -Su $(ulimit -Hu)"),
		}}
	if e.Kept.State == census.Exact {
		if s.User.Tasks.AtLeast(e.Kept) {
			c.Certainty = Is
		}
		c.Why = c.Why.and(say("; it was %[1]s", "；当时为 %[1]s", e.Kept))
	}
	return c, true
}

func before514(kernel string) bool {
	r, err := release.Parse(kernel)
	return err == nil && r.Less(release.Release{Major: 5, Minor: 14})
}

// numbersUnseen judges kernel.pid_max of another PID namespace. Before 6.14 there was one
// for the whole machine.
func numbersUnseen(s census.Census) (Cause, bool) {
	numbers := s.Tasks.PIDMax
	numbers.N -= min(numbers.N, census.Reserved)
	if !s.Namespaces.InitialPIDs && s.Unknown["ns/pid"] == "" && s.Tasks.Count.AtLeast(numbers) {
		return Cause{ID: "pid-max-unseen", Certainty: MayBe, Limit: s.Tasks.PIDMax, Used: s.Tasks.Count, Where: "/proc/sys/kernel/pid_max",
			Why: say("the program is in a PID namespace, and each task has a number in those around it too; there kernel.pid_max (%[1]s) may be used up: the machine has %[2]s tasks",
				"程序位于 PID 命名空间中，每个任务在其外层各命名空间中也各占一个编号；外层的编号（kernel.pid_max 为 %[1]s）可能已用尽：整机有 %[2]s 个任务", s.Tasks.PIDMax, s.Tasks.Count),
			Raise: []Remedy{sysctl("kernel.pid_max", 4<<20)}}, true
	}
	if !s.Namespaces.ElsewherePIDs {
		return Cause{}, false
	}
	r, err := release.Parse(s.Kernel)
	if err == nil && r.Less(release.Release{Major: 6, Minor: 14}) {
		return Cause{}, false
	}
	return Cause{ID: "pid-max-unseen", Certainty: MayBe, Where: "/proc/sys/kernel/pid_max",
		Why: say("the program is in another PID namespace, which may have a kernel.pid_max of its own (since Linux 6.14); it cannot be read from here",
			"程序位于另一个 PID 命名空间，该命名空间可以有自己的 kernel.pid_max（Linux 6.14 起）；从这里无法读取"),
		Raise: []Remedy{run(say("to see it, as root", "查看它，需要 root"), "nsenter -t %d -p -m cat /proc/sys/kernel/pid_max", s.PID)}}, true
}
