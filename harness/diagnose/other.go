package diagnose

import "github.com/mapstack/conformance/harness/diagnose/census"

// other judges errors that no limit on the number of tasks gives.
func other(e Evidence) []Cause {
	if c, ok := otherNamespace(e); ok {
		return []Cause{c}
	}
	if c, ok := otherGroup(e); ok {
		return []Cause{c}
	}
	if causes, ok := namespaces(e); ok {
		return causes
	}
	f, s := e.Failure, e.State
	switch {
	case f.Name == "ENOMEM":
		return kernelMemory(e)
	case f.Name == "EMFILE" || f.Name == "ENFILE":
		return []Cause{descriptors(e)}
	case f.Name == "ENOSYS" && f.Call == "clone3" && !s.Seccomp.Mode.AtLeast(census.Known(1)):
		return []Cause{{ID: "old-kernel", Certainty: MayBe,
			Why: say("the kernel is older than 5.3, or an emulator runs the program; C libraries call clone in that case",
				"内核早于 5.3，或程序运行在模拟器中：此时 C 库会改用 clone")}}
	case f.Name == "EINVAL" || f.Name == "E2BIG":
		return []Cause{invalidFlags(e)}
	}
	return unlikely(e)
}

// descriptors judges a call that is to give back a descriptor of the new process.
func descriptors(e Evidence) Cause {
	d := e.State.Descriptors
	if e.Failure.Name == "ENFILE" {
		return Cause{ID: "file-max", Certainty: MayBe, Where: "/proc/sys/fs/file-max",
			Why:   say("the call is to give back a descriptor of the new process, and the machine has no more open files (fs.file-max)", "该调用要返回新进程的文件描述符，而整机打开的文件数已达上限（fs.file-max）"),
			Raise: []Remedy{run(say("to see how many there are", "查看数量"), "cat /proc/sys/fs/file-nr")}}
	}
	c := Cause{ID: "rlimit-nofile", Certainty: MayBe, Limit: d.Files.Soft, Used: d.Open, Where: "RLIMIT_NOFILE",
		Why: say("the call is to give back a descriptor of the new process (CLONE_PIDFD), and RLIMIT_NOFILE lets the program have descriptors below %[1]s; it has %[2]s open",
			"该调用要返回新进程的文件描述符（CLONE_PIDFD），而 RLIMIT_NOFILE 只允许程序使用小于 %[1]s 的描述符，现已打开 %[2]s 个", d.Files.Soft, d.Open).and(e.setter(e.Rlimit.NoFile, d.Files.Soft)),
		Raise: raise{"nofile", "n", "LimitNOFILE", 1, d.Files}.to(e.State, double(d.Files.Soft.N))}
	if d.Open.AtLeast(d.Files.Soft) {
		c.Certainty = Is
	}
	return c
}

// otherGroup judges a call that puts the new process into another control group
// (cgroup_css_set_fork in kernel/cgroup/cgroup.c). No other task call gives these errors.
func otherGroup(e Evidence) (Cause, bool) {
	f := e.Failure
	if f.Flags&intoCgroup == 0 {
		return Cause{}, false
	}
	show := []Remedy{run(say("to see which group it is", "查看是哪个控制组"), "ls -l /proc/%d/fd", e.State.PID)}
	why, known := map[string]Text{
		"EACCES":     say("the program may not move processes into it: it must be able to write cgroup.procs there, and in the group that both are below", "程序无权把进程移入该组：必须能写入该组以及共同上级组的 cgroup.procs"),
		"EBUSY":      say("controllers are enabled for the groups below it (cgroup.subtree_control), and such a group takes no processes", "该组已为下级组启用控制器（cgroup.subtree_control），这样的组不接纳进程"),
		"EOPNOTSUPP": say("it is in the state \"domain invalid\" (cgroup.type), and takes no processes", "该组处于 \"domain invalid\" 状态（cgroup.type），不接纳进程"),
		"ENODEV":     say("it has been removed", "该组已被删除"),
		"EBADF":      say("the descriptor is not that of a group of version 2", "该描述符不是第 2 版控制组"),
	}[f.Name]
	if !known {
		return Cause{}, false
	}
	return Cause{ID: "into-cgroup", Certainty: Is, Where: "CLONE_INTO_CGROUP", Raise: show,
		Why: Text{"the call puts the new process into another control group: %[1]s", "该调用把新进程放入另一个控制组：%[1]s"}.with(why)}, true
}

// otherNamespace judges a call of a thread whose children go to another namespace than
// its own (copy_process in kernel/fork.c, alloc_pid in kernel/pid.c).
func otherNamespace(e Evidence) (Cause, bool) {
	f, in := e.Failure, e.State.Namespaces
	switch {
	case f.Name == "EINVAL" && f.Want == Thread && in.ChildPIDs:
		return Cause{ID: "pid-namespace", Certainty: Is, Where: "pid_for_children",
			Why: say("the thread has called unshare(CLONE_NEWPID) or setns for its children, and may not make threads any more: they would be in another PID namespace than their process; unshare --fork starts the program inside of the namespace",
				"该线程已为其子进程调用 unshare(CLONE_NEWPID) 或 setns，此后不能再创建线程：线程不能与其进程处于不同的 PID 命名空间；unshare --fork 会在命名空间内启动程序"),
			Raise: []Remedy{run(say("start the program inside of the namespace instead", "改为在命名空间内启动程序"), "unshare --fork --pid PROGRAM")}}, true
	case f.Name == "EINVAL" && in.ChildTime:
		return Cause{ID: "time-namespace", Certainty: Is, Where: "time_for_children",
			Why: say("the thread has called unshare(CLONE_NEWTIME): until it starts another program, its children may not share memory with it",
				"该线程已调用 unshare(CLONE_NEWTIME)：在执行新程序之前，其子任务不能与它共享内存"),
			Raise: []Remedy{run(say("start the program inside of the namespace instead", "改为在命名空间内启动程序"), "unshare --fork --time PROGRAM")}}, true
	case f.Name == "ENOMEM" && f.Want == Process && in.ChildPIDs:
		return Cause{ID: "pid-namespace-dead", Certainty: Is, Where: "pid_for_children",
			Why: say("the PID namespace that the thread's children go to has lost its first process, and takes no others; unshare --fork keeps one there as long as the program runs",
				"该线程的子进程所属的 PID 命名空间已失去其首个进程，不再接受新进程；unshare --fork 会在程序运行期间保留首个进程"),
			Raise: []Remedy{run(say("keep the first process of the namespace alive", "让命名空间的首个进程保持存活"), "unshare --fork --pid PROGRAM")}}, true
	}
	return Cause{}, false
}
