package diagnose

import (
	"github.com/mapstack/conformance/harness/diagnose/census"
)

// kinds are CLONE_NEW* (include/uapi/linux/sched.h) with the part of the name of
// user.max_*_namespaces.
var kinds = []struct {
	flag uint64
	name string
}{
	{newUsers, "user"}, {0x20000000, "pid"}, {0x40000000, "net"}, {0x08000000, "ipc"},
	{0x00020000, "mnt"}, {0x04000000, "uts"}, {0x02000000, "cgroup"}, {0x00000080, "time"},
}

// namespaces judges a call that asks for new namespaces, or enters one.
func namespaces(e Evidence) ([]Cause, bool) {
	f := e.Failure
	if f.Want != Namespace && f.Flags&newNamespaces == 0 {
		return nil, false
	}
	switch f.Name {
	case "ENOSPC", "EUSERS":
		return []Cause{namespaceCount(e)}, true
	case "EPERM", "EACCES":
		return namespacePrivilege(e), true
	case "EINVAL":
		return []Cause{namespaceInvalid(e)}, true
	}
	return nil, false
}

// namespaceCount judges user.max_*_namespaces, and how deep namespaces of users and PIDs
// may be inside of each other (inc_ucount in kernel/ucount.c, create_pid_namespace in
// kernel/pid_namespace.c).
func namespaceCount(e Evidence) Cause {
	f, s := e.Failure, e.State
	const deepest = 32
	name := ""
	for _, k := range kinds {
		if f.Flags&k.flag == 0 {
			continue
		}
		if k.name == "pid" && s.Namespaces.PIDDepth >= deepest {
			return Cause{ID: "namespace-depth", Certainty: Is, Where: "CLONE_NEWPID",
				Why:   say("PID namespaces may be %[1]d deep inside of each other, and the program is in one that is", "PID 命名空间最多嵌套 %[1]d 层，程序所在的命名空间已达到该深度", deepest),
				Raise: []Remedy{run(say("start it from a namespace further out", "从更外层的命名空间启动"), "nsenter -t 1 -p -m PROGRAM")}}
		}
		if limit := s.Namespaces.Max[k.name]; limit == census.Known(0) || name == "" {
			name = k.name
		}
	}
	if name == "" {
		name = "user"
	}
	limit := s.Namespaces.Max[name]
	sys := "user.max_" + name + "_namespaces"
	raised := sysctl(sys, max(15000, 2*limit.N))
	raised.When = raised.When.and(say("; in the user namespace that has the limit", "；在设有该限制的用户命名空间中"))
	c := Cause{ID: "max-namespaces", Certainty: MayBe, Limit: limit, Where: "/proc/sys/user/max_" + name + "_namespaces", Raise: []Remedy{raised}}
	switch {
	case limit == census.Known(0):
		c.Certainty = Is
		c.Why = say("%[1]s is 0: nobody may make such a namespace", "%[1]s 为 0：任何人都不能创建此类命名空间", sys)
	case limit.State == census.Exact:
		c.Why = say("each user may have %[2]s of such namespaces (%[1]s), in this user namespace and in each one around it; they are used up in one of them", "每个用户最多拥有 %[2]s 个此类命名空间（%[1]s），该限制在本用户命名空间及其外层各自有效；其中之一已用尽", sys, limit)
	default:
		c.Why = say("the user has used up %[1]s; the limit of the program's user namespace cannot be read from here", "该用户已用尽 %[1]s；从这里无法读取程序所在用户命名空间的限制", sys)
	}
	if name == "user" && c.Certainty == MayBe {
		c.Why = c.Why.and(say("; or user namespaces are %[1]d deep inside of each other already", "；或用户命名空间已嵌套 %[1]d 层", deepest))
	}
	return c
}

// namespacePrivilege judges EPERM (create_user_ns in kernel/user_namespace.c,
// create_new_namespaces in kernel/nsproxy.c).
func namespacePrivilege(e Evidence) []Cause {
	f, s := e.Failure, e.State
	capable := s.Capabilities>>census.SysAdmin&1 == 1
	switch users := f.Flags&newUsers != 0; {
	case s.PID == 0:
		return unseen(e)
	case users && s.Namespaces.Chroot != "":
		return []Cause{{ID: "namespace-chroot", Certainty: Is, Where: s.Namespaces.Chroot,
			Why:   say("the program is in a chroot, and there the kernel makes no user namespace, not even for root", "程序在 chroot 中，内核在其中不创建用户命名空间，root 也不例外"),
			Raise: []Remedy{run(say("change the root directory by pivot_root(2), as bubblewrap does", "改用 pivot_root(2) 更换根目录，如 bubblewrap"), "bwrap --bind %s / --dev /dev --proc /proc PROGRAM", s.Namespaces.Chroot)}}}
	case users && !capable && s.Namespaces.UsersAllowed == census.Known(0):
		return []Cause{{ID: "namespace-privilege", Certainty: Is, Where: "/proc/sys/kernel/unprivileged_userns_clone",
			Why:   say("kernel.unprivileged_userns_clone is 0: only root makes user namespaces", "kernel.unprivileged_userns_clone 为 0：只有 root 能创建用户命名空间"),
			Raise: []Remedy{sysctl("kernel.unprivileged_userns_clone", 1)}}}
	case users && !capable && s.Namespaces.UsersRestricted.AtLeast(census.Known(1)):
		return []Cause{{ID: "namespace-apparmor", Certainty: Is, Where: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
			Why: say("kernel.apparmor_restrict_unprivileged_userns is %[1]s: AppArmor lets only programs with a profile for it make user namespaces", "kernel.apparmor_restrict_unprivileged_userns 为 %[1]s：AppArmor 只允许带有相应配置的程序创建用户命名空间", s.Namespaces.UsersRestricted),
			Raise: []Remedy{
				run(say("in a profile of the program, in /etc/apparmor.d", "在该程序的 AppArmor 配置中（/etc/apparmor.d）"), "profile PROGRAM /path/of/PROGRAM flags=(unconfined) { userns, }"),
				sysctl("kernel.apparmor_restrict_unprivileged_userns", 0),
			}}}
	case users && f.Name == "EPERM":
		return append([]Cause{{ID: "namespace-privilege", Certainty: MayBe, Where: "CLONE_NEWUSER",
			Why:   say("the kernel makes no user namespace for a program in a chroot, nor for a user or group that the present namespace does not map", "对于 chroot 中的程序，或当前命名空间没有映射的用户或组，内核不创建用户命名空间"),
			Raise: []Remedy{run(say("to see what is mapped", "查看已有的映射"), "cat /proc/%d/uid_map /proc/%d/gid_map", s.PID, s.PID)}}}, unlikely(e)...)
	case !capable && f.Name == "EPERM":
		return []Cause{{ID: "namespace-privilege", Certainty: Is, Where: "CAP_SYS_ADMIN",
			Why:   say("the call needs CAP_SYS_ADMIN, which the program does not have", "该调用需要 CAP_SYS_ADMIN，而程序没有该能力"),
			Raise: []Remedy{run(say("in a user namespace of its own", "在自己的用户命名空间中"), "unshare --user --map-root-user PROGRAM")}}}
	case f.Call == "setns" && f.Name == "EPERM":
		return []Cause{{ID: "namespace-privilege", Certainty: MayBe, Where: "CAP_SYS_ADMIN",
			Why: say("to enter a namespace needs CAP_SYS_ADMIN in the user namespace that it belongs to as well", "进入命名空间还需要在其所属的用户命名空间中拥有 CAP_SYS_ADMIN")}}
	}
	return unlikely(e)
}

// namespaceInvalid judges EINVAL. A process with threads has one user namespace, one PID
// namespace and one of time for all of them.
func namespaceInvalid(e Evidence) Cause {
	f, s := e.Failure, e.State
	const whole = newUsers | 0x80 | shareMemory // and CLONE_NEWTIME
	if f.Want == Namespace && f.Flags&whole != 0 && s.Threads.AtLeast(census.Known(2)) {
		return Cause{ID: "namespace-threads", Certainty: Is, Where: f.Call,
			Why: say("the process has %[1]s threads, and %[2]s of such a namespace works only with one; a Go program always has several",
				"进程有 %[1]s 个线程，而 %[2]s 此类命名空间只允许单线程；Go 程序总有多个线程", s.Threads, f.Call),
			Raise: []Remedy{run(say("start the program inside of the namespace instead; in Go: SysProcAttr.Cloneflags", "改为在命名空间内启动程序；在 Go 中使用 SysProcAttr.Cloneflags"), "unshare --user --map-root-user PROGRAM")}}
	}
	return invalidFlags(e)
}

// invalidFlags judges EINVAL of flags.
func invalidFlags(e Evidence) Cause {
	return Cause{ID: "flags", Certainty: MayBe,
		Why: say("the kernel does not accept this combination of flags (%#[1]x): it is too old for one of them or was built without it, or two of them exclude each other",
			"内核不接受这一标志组合（%#[1]x）：内核过旧或编译时未启用其中的标志，或标志互相排斥", e.Failure.Flags)}
}
