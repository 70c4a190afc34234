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

	cloneParentSetTID = 0x100000
	cloneClearSighand = 1 << 32
	// goThread holds the flags of the Go runtime (runtime/os_linux.go).
	goThread = 0x50f00
)

// Indexes of words of struct clone_args, and its published sizes in bytes.
const (
	argFlags      = 0
	argExitSignal = 4
	argStack      = 5
	argStackSize  = 6
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
		{
			Name: "clone3-enosys", Calls: clone3,
			English: "clone3 does not exist: ENOSYS.",
			Chinese: "clone3 不存在：ENOSYS。",
			Act:     func(c *Call) { c.become(Result{Errno: c.Kernel.Errno("ENOSYS")}) },
			Unserved: func(t Target) string {
				if t.Table().Syscall.Clone3 == 0 {
					return "the architecture has no clone3"
				}
				return ""
			},
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
			Name: "clone3-clear-sighand-refused", Calls: clone3,
			English: "clone3 does not know CLONE_CLEAR_SIGHAND.",
			Chinese: "clone3 不认识 CLONE_CLEAR_SIGHAND。",
			Act: func(c *Call) {
				if c.word(argFlags)&cloneClearSighand != 0 {
					c.report("EAGAIN", "EINVAL")
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
	}
}
