package defect

import "github.com/mapstack/conformance/poc/abi"

// Clone flags, the same on every architecture (include/uapi/linux/sched.h).
const (
	cloneVM       = 0x100
	cloneFS       = 0x200
	cloneFiles    = 0x400
	cloneSighand  = 0x800
	clonePidFD    = 0x1000
	cloneThread   = 0x10000
	cloneNewNS    = 0x20000
	cloneDetached = 0x400000
	cloneNewUser  = 0x10000000
	cloneNewPID   = 0x20000000

	cloneParentSetTID  = 0x100000
	cloneChildClearTID = 0x200000
	cloneChildSetTID   = 0x1000000
	cloneSysVSem       = 0x40000
	cloneSetTLS        = 0x80000
	cloneNewIPC        = 0x8000000
	cloneNewNet        = 0x40000000
	cloneIntoCgroup    = 1 << 33
	cloneClearSighand  = 1 << 32
	cloneNewTime       = 0x80 // only in clone3's flags
	// goThread holds the flags of the Go runtime (runtime/os_linux.go).
	goThread = 0x50f00
)

// Indexes of words of struct clone_args, and its published sizes in bytes.
const (
	argFlags      = 0
	argExitSignal = 4
	argStack      = 5
	argStackSize  = 6
	argSetTID     = 8
	argSetTIDSize = 9
	sizeVer0      = 64
	sizeVer2      = 88
)

// permits returns a rule by which the kernel accepts flags that it must refuse.
// Like valid flags they then meet the limit on processes.
func permits(invalid func(word uint64) bool) func(c *Call) {
	return func(c *Call) {
		if invalid(c.cloneFlags()) {
			c.report("EINVAL", "EAGAIN")
		}
	}
}

// refuses returns a rule by which the kernel refuses flags that it must accept.
func refuses(valid func(word uint64) bool) func(c *Call) {
	return func(c *Call) {
		if valid(c.cloneFlags()) {
			c.report("EAGAIN", "EINVAL")
		}
	}
}

// word returns a word of clone3's struct, 0 beyond its end.
func (c *Call) word(n uint64) uint64 {
	if base, size := c.Args[0], c.Args[1]; base == 0 || size < 8*(n+1) {
		return 0
	}
	return c.Word(c.Args[0] + 8*n)
}

// setWord changes a word of clone3's struct.
func (c *Call) setWord(n, value uint64) { c.Store(c.Args[0]+8*n, value) }

// drops returns a rule by which clone3 ignores a flag.
func drops(flag uint64) func(c *Call) {
	return func(c *Call) {
		if w := c.word(argFlags); w&flag != 0 {
			c.setWord(argFlags, w&^flag)
		}
	}
}

// losing returns a rule by which clone ignores a flag.
func losing(flag uint64) func(c *Call) {
	return func(c *Call) { c.Args[c.place(abi.CloneFlags)] &^= flag }
}

func only(word, want, without uint64) bool { return word&want == want && word&without == 0 }

// clones returns the defects of clone and clone3.
func clones() []Model {
	return []Model{
		{
			Name: "parent-tid-lost", Calls: clone,
			English: "clone does not store the child's ID at parent_tid.",
			Chinese: "clone 不把子进程 ID 写入 parent_tid。",
			Act: func(c *Call) {
				// The kernel ignores that it cannot write to address 0.
				if c.cloneFlags()&cloneParentSetTID != 0 {
					c.Args[c.place(abi.CloneParentTID)] = 0
				}
			},
		},
		{
			Name: "go-thread-refused", Calls: clone,
			English: "clone refuses the flags that the Go runtime starts its threads with.",
			Chinese: "clone 拒绝 Go 运行时创建线程所用的标志。",
			Act:     refuses(func(w uint64) bool { return w == goThread }),
		},
		{
			Name: "detached-refused", Calls: clone,
			English: "clone refuses CLONE_DETACHED, which musl's pthread_create gives.",
			Chinese: "clone 拒绝 musl 的 pthread_create 所用的 CLONE_DETACHED。",
			Act:     refuses(func(w uint64) bool { return w&cloneDetached != 0 }),
		},
		{
			Name: "thread-needs-files", Calls: clone,
			English: "clone refuses a thread that does not share files and file system state.",
			Chinese: "clone 拒绝不共享文件和文件系统状态的线程。",
			Act: refuses(func(w uint64) bool {
				return only(w, cloneThread|cloneSighand|cloneVM, cloneFS) || only(w, cloneThread|cloneSighand|cloneVM, cloneFiles)
			}),
		},
		{
			Name: "sighand-unchecked", Calls: clone,
			English: "clone accepts CLONE_SIGHAND without CLONE_VM.",
			Chinese: "clone 接受没有 CLONE_VM 的 CLONE_SIGHAND。",
			Act:     permits(func(w uint64) bool { return only(w, cloneSighand, cloneVM) }),
		},
		{
			Name: "thread-unchecked", Calls: clone,
			English: "clone accepts CLONE_THREAD without CLONE_SIGHAND.",
			Chinese: "clone 接受没有 CLONE_SIGHAND 的 CLONE_THREAD。",
			Act:     permits(func(w uint64) bool { return only(w, cloneThread, cloneSighand) }),
		},
		{
			Name: "limit-before-flags", Calls: clone,
			English: "clone reports RLIMIT_NPROC before it looks at the flags.",
			Chinese: "clone 在检查标志之前就报告 RLIMIT_NPROC。",
			Act:     permits(func(uint64) bool { return true }),
		},
		{
			Name: "namespace-shares-fs", Calls: clone,
			English: "clone accepts CLONE_FS together with a new mount or user namespace.",
			Chinese: "clone 接受 CLONE_FS 与新的挂载或用户命名空间并用。",
			Act:     permits(func(w uint64) bool { return only(w, cloneFS, 0) && w&(cloneNewNS|cloneNewUser) != 0 }),
		},
		{
			Name: "thread-leaves-pid-namespace", Calls: clone,
			English: "clone lets a thread be in another PID namespace than its process.",
			Chinese: "clone 允许线程与其进程处于不同的 PID 命名空间。",
			Act:     permits(func(w uint64) bool { return w&^cloneNewPID == goThread }),
		},
		{
			Name: "pidfd-unchecked", Calls: clone,
			English: "clone accepts CLONE_PIDFD together with CLONE_DETACHED or CLONE_PARENT_SETTID.",
			Chinese: "clone 接受 CLONE_PIDFD 与 CLONE_DETACHED 或 CLONE_PARENT_SETTID 并用。",
			Act: permits(func(w uint64) bool {
				return w&clonePidFD != 0 && w&(cloneDetached|cloneParentSetTID) != 0
			}),
		},
		{
			Name: "clone-enomem", Calls: clone,
			English: "clone reports an exceeded RLIMIT_NPROC as ENOMEM.",
			Chinese: "clone 把超出 RLIMIT_NPROC 报告为 ENOMEM。",
			Act:     func(c *Call) { c.report("EAGAIN", "ENOMEM") },
		},
		// A kernel whose clone3 answers ENOSYS to everything is one without the call. That is
		// no defect, and a finding of suite features from the version on that brought it.
		{
			Name: "clone3-eperm", Calls: clone3,
			English:  "clone3 does not exist, and answers EPERM.",
			Chinese:  "clone3 不存在，却返回 EPERM。",
			Act:      func(c *Call) { c.refuse("EPERM") },
			Unserved: withoutClone3,
		},
		{
			Name: "clone3-enosys-for-new-flags", Calls: clone3,
			English: "clone3 answers ENOSYS to flags that clone does not have.",
			Chinese: "对 clone 没有的标志，clone3 返回 ENOSYS。",
			Act: func(c *Call) {
				if c.word(argFlags)>>32 != 0 {
					c.refuse("ENOSYS")
				}
			},
			Unserved: withoutClone3,
		},
		{
			Name: "clone3-newtime-refused", Calls: clone3,
			English: "clone3 refuses CLONE_NEWTIME with EPERM before anything else.",
			Chinese: "clone3 在其他检查之前就以 EPERM 拒绝 CLONE_NEWTIME。",
			Act: func(c *Call) {
				if c.word(argFlags)&cloneNewTime != 0 {
					c.refuse("EPERM")
				}
			},
			Unserved: withoutClone3,
		},
		{
			Name: "clone3-short-accepted", Calls: clone3,
			English: "clone3 accepts a struct that is shorter than its first version.",
			Chinese: "clone3 接受比其第一个版本更短的结构体。",
			Act: func(c *Call) {
				if c.Args[1] < sizeVer0 {
					c.report("EINVAL", "EAGAIN")
				}
			},
		},
		{
			Name: "clone3-tail-ignored", Calls: clone3,
			English: "clone3 ignores what stands behind the struct that it knows.",
			Chinese: "clone3 忽略其已知结构体之后的内容。",
			Act: func(c *Call) {
				if c.Args[1] > sizeVer2 {
					c.Args[1] = sizeVer2
				}
			},
		},
		{
			Name: "clone3-exit-signal-unchecked", Calls: clone3,
			English: "clone3 accepts an exit signal that is no signal.",
			Chinese: "clone3 接受不是信号的退出信号号码。",
			Act: func(c *Call) {
				if c.word(argExitSignal) > c.Kernel.Signal.Max {
					c.report("EINVAL", "EAGAIN")
				}
			},
		},
		{
			Name: "clone3-detached-accepted", Calls: clone3,
			English: "clone3 accepts CLONE_DETACHED.",
			Chinese: "clone3 接受 CLONE_DETACHED。",
			Act: func(c *Call) {
				if c.word(argFlags)&cloneDetached != 0 {
					c.report("EINVAL", "EAGAIN")
				}
			},
		},
		{
			Name: "clone3-stack-unchecked", Calls: clone3,
			English: "clone3 accepts a stack without a size and a size without a stack.",
			Chinese: "clone3 接受没有大小的栈和没有栈的大小。",
			Act: func(c *Call) {
				if (c.word(argStack) == 0) != (c.word(argStackSize) == 0) {
					c.report("EINVAL", "EAGAIN")
				}
			},
		},
		{
			Name: "pidfd-lost", Calls: clone,
			English: "clone ignores CLONE_PIDFD, unless it refuses the flags.",
			Chinese: "除非拒绝标志，clone 忽略 CLONE_PIDFD。",
			Act: func(c *Call) {
				if w := c.cloneFlags(); w&clonePidFD != 0 && w&(cloneDetached|cloneParentSetTID|cloneThread) == 0 {
					losing(clonePidFD)(c)
				}
			},
		},
		{
			Name: "child-tid-kept", Calls: clone,
			English: "clone does not clear child_tid when a thread ends.",
			Chinese: "线程结束时 clone 不清零 child_tid。",
			Act:     losing(cloneChildClearTID),
		},
		{
			Name: "tls-lost", Calls: clone,
			English:  "clone ignores CLONE_SETTLS.",
			Chinese:  "clone 忽略 CLONE_SETTLS。",
			Act:      losing(cloneSetTLS),
			Unserved: untold,
		},
		{
			Name: "clone3-tls-lost", Calls: clone3,
			English:  "clone3 ignores CLONE_SETTLS.",
			Chinese:  "clone3 忽略 CLONE_SETTLS。",
			Act:      drops(cloneSetTLS),
			Unserved: untold,
		},
		{
			Name: "clone3-last-bit-accepted", Calls: clone3,
			English:  "clone3 ignores bit 63 of its flags.",
			Chinese:  "clone3 忽略其标志的第 63 位。",
			Act:      drops(1 << 63),
			Unserved: withoutClone3,
		},
		{
			Name: "namespace-kept", Calls: clone,
			English: "clone leaves a child in the network namespace of its parent.",
			Chinese: "clone 把子进程留在父进程的网络命名空间中。",
			Act:     losing(cloneNewNet),
		},
		{
			Name: "ipc-with-sysvsem", Calls: clone,
			English: "clone accepts CLONE_NEWIPC with CLONE_SYSVSEM.",
			Chinese: "clone 接受 CLONE_NEWIPC 与 CLONE_SYSVSEM 并用。",
			Act: func(c *Call) {
				if c.cloneFlags()&(cloneNewIPC|cloneSysVSem) == cloneNewIPC|cloneSysVSem {
					losing(cloneSysVSem)(c)
				}
			},
		},
		{
			Name: "clone3-stack-size-not-added", Calls: clone3,
			English: "clone3 starts a child at the lowest address of its stack.",
			Chinese: "clone3 让子进程从其栈的最低地址开始运行。",
			Act: func(c *Call) {
				if stack, size := c.word(argStack), c.word(argStackSize); stack > size && size != 0 {
					c.setWord(argStack, stack-size)
				}
			},
			Unserved: withoutClone3,
		},
		{
			Name: "clone3-child-tid-lost", Calls: clone3,
			English:  "clone3 does not store the child's ID at child_tid.",
			Chinese:  "clone3 不把子进程 ID 写入 child_tid。",
			Act:      drops(cloneChildSetTID),
			Unserved: withoutClone3,
		},
		{
			Name: "clone3-child-tid-kept", Calls: clone3,
			English:  "clone3 does not clear child_tid when a thread ends.",
			Chinese:  "线程结束时 clone3 不清零 child_tid。",
			Act:      drops(cloneChildClearTID),
			Unserved: withoutClone3,
		},
		{
			Name: "clone3-pidfd-lost", Calls: clone3,
			English:  "clone3 ignores CLONE_PIDFD.",
			Chinese:  "clone3 忽略 CLONE_PIDFD。",
			Act:      drops(clonePidFD),
			Unserved: withoutClone3,
		},
		{
			Name: "clone3-sighand-kept", Calls: clone3,
			English: "clone3 ignores CLONE_CLEAR_SIGHAND alone.",
			Chinese: "clone3 忽略单独的 CLONE_CLEAR_SIGHAND。",
			Act: func(c *Call) {
				if c.word(argFlags) == cloneClearSighand {
					c.setWord(argFlags, 0)
				}
			},
			Unserved: withoutClone3,
		},
		{
			Name: "clone3-set-tid-ignored", Calls: clone3,
			English: "clone3 chooses the ID of a process whatever set_tid asks for.",
			Chinese: "无论 set_tid 要求什么，clone3 都自行选择进程 ID。",
			Act: func(c *Call) {
				if c.word(argSetTID) != 0 && c.word(argSetTIDSize) == 1 {
					c.setWord(argSetTID, 0)
					c.setWord(argSetTIDSize, 0)
				}
			},
			Unserved: withoutClone3,
		},
		{
			Name: "clone3-cgroup-ignored", Calls: clone3,
			English: "clone3 leaves a child in the control group of its parent.",
			Chinese: "clone3 把子进程留在父进程的控制组中。",
			Act: func(c *Call) {
				if c.Args[1] >= sizeVer2 {
					drops(cloneIntoCgroup)(c)
				}
			},
			Unserved: withoutClone3,
		},
		{
			Name: "clone3-page-refused", Calls: clone3,
			English: "clone3 refuses a struct of a page.",
			Chinese: "clone3 拒绝一页大小的结构体。",
			Act: func(c *Call) {
				if c.Args[1] == c.Page {
					c.refuse("E2BIG")
				}
			},
			Unserved: withoutClone3,
		},
	}
}

// untold returns why nobody sees a wrong thread register below an injector.
func untold(t Target) string {
	if t.GOARCH != "amd64" {
		return "the injector traces the child, so that no other tracer can look at its thread register"
	}
	return ""
}

// withoutClone3 returns why a defect of clone3 means nothing on a target.
func withoutClone3(t Target) string {
	if t.Table().Syscall.Clone3 == 0 {
		return "the architecture has no clone3"
	}
	return ""
}
