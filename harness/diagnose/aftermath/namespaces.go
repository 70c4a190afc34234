package aftermath

import (
	"math"
	"slices"

	"github.com/mapstack/conformance/harness/diagnose"
	"github.com/mapstack/conformance/harness/diagnose/census"
)

func pidNamespace(w Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "pid-namespace",
		Why: say("the program was started in a new PID namespace without a fork (unshare --pid PROGRAM): it may make no thread there (errno 22), and no process after its first one has ended (errno 12)",
			"程序在没有 fork 的情况下进入了新的 PID 命名空间（unshare --pid PROGRAM）：它不能创建线程（errno 22），其首个子进程结束后也不能再创建进程（errno 12）"),
		Cure: say("start it inside of the namespace: unshare --fork --pid PROGRAM", "改为在命名空间内启动：unshare --fork --pid PROGRAM")}
	if w.Errno == "EINVAL" && w.Speaker == "Go" {
		c.because(say("the kernel gives EINVAL to a thread of the Go runtime for hardly anything else", "对 Go 运行时的线程，内核几乎只在这种情况下返回 EINVAL"))
	}
	if w.Errno == "ENOMEM" && f != nil && f.State.Memory.Available.N > 1<<30 {
		c.because(say("the machine has memory: %[1]s bytes are available now", "整机并不缺内存：现有 %[1]s 字节可用", f.State.Memory.Available))
	}
	return c
}

func userNamespaces(_ Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "namespace-privilege", Why: say("new namespaces need CAP_SYS_ADMIN, or a system that allows user namespaces to ordinary users; in a chroot the kernel refuses them to everybody",
		"新的命名空间需要 CAP_SYS_ADMIN，或系统允许普通用户使用用户命名空间；在 chroot 中内核对任何人都拒绝"),
		Cure: say("sysctl -w kernel.unprivileged_userns_clone=1 (Debian); sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)",
			"sysctl -w kernel.unprivileged_userns_clone=1（Debian）；sysctl -w kernel.apparmor_restrict_unprivileged_userns=0（Ubuntu）")}
	if f != nil && f.State.Namespaces.UsersAllowed == census.Known(0) {
		c.because(say("kernel.unprivileged_userns_clone is 0 now", "kernel.unprivileged_userns_clone 现为 0"))
	}
	if f != nil && f.State.Namespaces.Chroot != "" {
		c.because(say("the facts are of a chroot", "这些事实来自 chroot"))
	}
	return c
}

func namespaceLimit(_ Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "max-namespaces", Why: say("no namespace was left (user.max_user_namespaces and its like), or they were nested 32 deep", "命名空间已用尽（user.max_user_namespaces 等），或嵌套已达 32 层"),
		Cure: say("sysctl -w user.max_user_namespaces=15000", "sysctl -w user.max_user_namespaces=15000")}
	if f == nil {
		return c
	}
	for name, most := range f.State.Namespaces.Max {
		if most.State == census.Exact && most.N == 0 {
			c.because(say("user.max_%[1]s_namespaces is 0 now", "user.max_%[1]s_namespaces 现为 0", shown(name)))
		}
	}
	slices.SortFunc(c.For, func(a, b diagnose.Text) int { return len(a.English) - len(b.English) })
	if u := f.State.Namespaces.Max["user"]; len(c.For) == 0 && u.State == census.Exact && u.N < math.MaxInt32 {
		c.although(say("user.max_user_namespaces is %[1]s now", "user.max_user_namespaces 现为 %[1]s", u))
	}
	return c
}

func oldKernel(_ Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "old-kernel", Why: say("the kernel, or an emulator in its place, is older than what the program asks for", "内核（或代替它的模拟器）早于程序所需的版本"),
		Cure: say("a newer kernel, or an older C library", "使用更新的内核，或更旧的 C 库")}
	if f != nil && f.State.Kernel != "" {
		c.although(say("the kernel is %[1]s", "内核为 %[1]s", shown(f.State.Kernel)))
	}
	return c
}
