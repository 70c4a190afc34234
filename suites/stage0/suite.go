// Package stage0 claims what every runtime takes for granted before its first
// line runs: that the kernel uses the numbers of the architecture's ABI. A
// program without a runtime asks, so there is an answer even where no other
// program starts.
package stage0

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/expect"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// The reason why no defect model makes a claim of this suite fail.
const (
	first = "stage 0 is PID 1 before any injector can be"
	early = first + "; changed answers turn it red in suites/stage0"
)

// Suite returns the claims.
func Suite() claim.Suite {
	return claim.Suite{
		Name: "stage0", Prefix: "SZ", Floor: 8, Probe: stage0.Probe,
		Unmodelled: first,
		About: claim.Text{
			English: "Whether the kernel uses the numbers of the architecture's ABI. A program without a runtime asks, before anything else starts.",
			Chinese: "内核是否使用本架构 ABI 的数值，由一个不带运行时的程序在其他程序启动之前检验。",
		},
	}.Join(memoryClaims(), callClaims(), cloneClaims(), worldClaims())
}

// memoryClaims returns the claims about mmap and munmap.
func memoryClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "SZ-001", Level: verdict.Must,
			English:      "mmap with the architecture's MAP_ANONYMOUS gives private memory that a child of the process can read and write.",
			Chinese:      "以该架构的 MAP_ANONYMOUS 调用 mmap 得到私有内存，进程的子进程可读可写。",
			Source:       "mmap(2): MAP_ANONYMOUS; its number is in arch/*/include/uapi/asm/mman.h",
			Unsupported:  claim.Where(unassembled),
			UserMode:     claim.Emulated,
			Uninjectable: early, Factless: true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				usable(g, t, stage0.Map(a.Map.Anonymous))
			}),
		},
		{
			ID: "SZ-002", Level: verdict.Must,
			English:      "The numbers that other architectures give to MAP_ANONYMOUS make no anonymous mapping: with the file descriptor -1 mmap fails with EBADF.",
			Chinese:      "其他架构的 MAP_ANONYMOUS 数值不会产生匿名映射：文件描述符为 -1 时 mmap 以 EBADF 失败。",
			Source:       "mmap(2), ERRORS: EBADF where the descriptor is not valid and MAP_ANONYMOUS was not set; 0x20 is asm-generic's number, 0x800 MIPS's, 0x10 that of alpha and sw64 (arch/*/include/uapi/asm/mman.h)",
			Unsupported:  claim.Where(unassembled),
			UserMode:     claim.Emulated,
			Uninjectable: early, Factless: true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, n := range stage0.Anonymous() {
					if n != a.Map.Anonymous {
						expect.Errno(g, a, t.Step(stage0.Map(n)), "EBADF")
					}
				}
			}),
		},
		{
			ID: "SZ-003", Level: verdict.Must,
			English:      "mmap with the architecture's MAP_STACK gives memory that a child of the process can read and write, as without it.",
			Chinese:      "以该架构的 MAP_STACK 调用 mmap 得到的内存，进程的子进程可读可写，与不带该标志时相同。",
			Source:       "mmap(2): MAP_STACK is a no-op; MS-001 and MS-003, seen without a runtime; its number is in arch/*/include/uapi/asm/mman.h",
			Unsupported:  claim.Where(unassembled),
			UserMode:     claim.Emulated,
			Uninjectable: early, Factless: true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				usable(g, t, stage0.MapStack(a.Map.Stack))
			}),
		},
		{
			ID: "SZ-004", Level: verdict.Must,
			English:      "After munmap a read of the memory ends a process with SIGSEGV.",
			Chinese:      "munmap 之后读取该内存会使进程以 SIGSEGV 结束。",
			Source:       "munmap(2): further references to addresses within the range generate invalid memory references; signal(7): SIGSEGV",
			Unsupported:  claim.Where(unassembled),
			UserMode:     claim.Emulated,
			Uninjectable: early, Factless: true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, step := range []string{stage0.Map(a.Map.Anonymous), stage0.MapStack(a.Map.Stack)} {
					expect.OK(g, t.Step(step))
					expect.OK(g, t.Step(stage0.Unmap(step)))
					killed(g, a, t.Step(stage0.After(step)))
				}
			}),
		},
		{
			ID: "SZ-005", Level: verdict.Must,
			English:      "A write to memory that was mapped with PROT_READ alone ends a process with SIGSEGV.",
			Chinese:      "写入仅以 PROT_READ 映射的内存会使进程以 SIGSEGV 结束。",
			Source:       "mmap(2): SIGSEGV on an attempted write into a region mapped as read-only",
			Unsupported:  claim.Where(unassembled),
			UserMode:     claim.Emulated,
			Uninjectable: early, Factless: true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.OK(g, t.Step(stage0.MapReadOnly))
				killed(g, a, t.Step(stage0.ReadOnly))
			}),
		},
	}
}

// callClaims returns the claims about the numbers of errors and signals.
func callClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "SZ-006", Level: verdict.Must,
			English:      "A system call that does not exist fails with the architecture's number for ENOSYS.",
			Chinese:      "不存在的系统调用以该架构的 ENOSYS 数值失败。",
			Source:       "errno(3): ENOSYS, function not implemented; its number is in arch/*/include/uapi/asm/errno.h: 38 in asm-generic, 89 on MIPS, 78 on alpha and sw64",
			Unsupported:  claim.Where(unassembled),
			UserMode:     claim.Emulated,
			Uninjectable: early, Factless: true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step(stage0.Unknown), "ENOSYS")
			}),
		},
		{
			ID: "SZ-007", Level: verdict.Must,
			English:      "FUTEX_WAIT for a value that the word does not have fails at once with the architecture's number for EAGAIN.",
			Chinese:      "当字的值与预期不符时，FUTEX_WAIT 立即以该架构的 EAGAIN 数值失败。",
			Source:       "futex(2), ERRORS: EAGAIN where the value pointed to was not equal to the expected one; its number is in arch/*/include/uapi/asm/errno.h: 11, and 35 on alpha and sw64",
			Unsupported:  claim.Where(unassembled),
			UserMode:     claim.Emulated,
			Uninjectable: early, Factless: true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step(stage0.WouldBlock), "EAGAIN")
			}),
		},
		{
			ID: "SZ-008", Level: verdict.Must,
			English:      "rt_sigprocmask takes signal sets of the architecture's _NSIG and refuses those of another size with EINVAL.",
			Chinese:      "rt_sigprocmask 接受该架构 _NSIG 大小的信号集，并以 EINVAL 拒绝其他大小。",
			Source:       "sigprocmask(2), ERRORS: EINVAL where the kernel does not support the size passed in sigsetsize; _NSIG of arch/*/include/uapi/asm/signal.h is 128 on MIPS and in the old world of LoongArch (ABI 1.0), 64 elsewhere",
			Unsupported:  claim.Where(unassembled),
			UserMode:     claim.Emulated,
			Uninjectable: early, Factless: true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, n := range stage0.SignalSets() {
					if n == a.Signal.Max/8 {
						expect.OK(g, t.Step(stage0.SignalSet(n)))
					} else {
						expect.Errno(g, a, t.Step(stage0.SignalSet(n)), "EINVAL")
					}
				}
			}),
		},
	}
}

// cloneClaims returns the claims about clone and its limit.
func cloneClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "SZ-009", Level: verdict.Must,
			English:      "clone with the flags of the Go runtime makes a thread that runs on a mapped stack, shares memory, and whose end clears the word given with CLONE_CHILD_CLEARTID.",
			Chinese:      "以 Go 运行时的标志调用 clone 会创建一个在映射栈上运行并共享内存的线程，其结束会清除以 CLONE_CHILD_CLEARTID 给出的字。",
			Source:       "clone(2): CLONE_VM, CLONE_THREAD, and CLONE_CHILD_CLEARTID, which clears the child thread ID when the child exits; the order of arguments is CONFIG_CLONE_BACKWARDS*",
			Unsupported:  claim.Where(unassembled),
			UserMode:     claim.Emulated,
			Uninjectable: early, Factless: true,
			Check: func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
				o := t.Step(stage0.Thread)
				expect.OK(g, o)
				g.Expect(o.Uint("wrote")).To(gomega.BeEquivalentTo(1), "what the thread wrote")
				g.Expect(o.Uint("tid after")).To(gomega.BeZero(), "the thread's word after its end")
			},
		},
		{
			ID: "SZ-010", Level: verdict.Must,
			English:      "clone with CLONE_THREAD and without CLONE_SIGHAND fails with EINVAL.",
			Chinese:      "带 CLONE_THREAD 而不带 CLONE_SIGHAND 的 clone 以 EINVAL 失败。",
			Source:       "clone(2), ERRORS: EINVAL where CLONE_THREAD was specified and CLONE_SIGHAND was not",
			Unsupported:  claim.Where(unassembled),
			UserMode:     claim.Emulated,
			Uninjectable: early, Factless: true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step(stage0.NotAThread), "EINVAL")
			}),
		},
		{
			ID: "SZ-011", Level: verdict.Must,
			English:     "Below a limit of zero with the architecture's number for RLIMIT_NPROC a user's clone fails with the number for EAGAIN, and below one with the number of other architectures it succeeds.",
			Chinese:     "以该架构的 RLIMIT_NPROC 数值把限制设为零后，普通用户的 clone 以 EAGAIN 数值失败；以其他架构的数值设置时则成功。",
			Source:      "getrlimit(2): RLIMIT_NPROC, upon whose limit fork fails with EAGAIN; its number is in arch/*/include/uapi/asm/resource.h: 6 in asm-generic, 8 on MIPS, alpha and sw64",
			Unsupported: claim.Where(unassembled),
			// The host's kernel has the limit, the emulator the number of its name.
			UserMode:     claim.Emulated,
			Features:     []claim.Feature{feature.AnotherUser(stage0.Probe, stage0.Process(stage0.Processes()[0]))},
			Uninjectable: early, Factless: true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				for _, n := range stage0.Processes() {
					o := t.Step(stage0.Process(n))
					limited(o)
					if n == a.Rlimit.NProc {
						expect.Errno(g, a, o, "EAGAIN")
					} else {
						expect.OK(g, o)
					}
				}
			}),
		},
	}
}

// worldClaims returns the claims about what the kernel tells a new program, and
// about calls that only older ABIs have.
func worldClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "SZ-012", Level: verdict.Must,
			English:      "The kernel tells a new program its page size: one that the architecture has, and the one that munmap goes by.",
			Chinese:      "内核告知新程序其页大小：该大小是本架构所具有的之一，也是 munmap 所依据的大小。",
			Source:       "getauxval(3): AT_PAGESZ, the system page size; munmap(2): the address must be a multiple of the page size, and all pages containing a part of the range are unmapped; the sizes are the choices of arch/*/Kconfig of 4.19 to 7.3. Go ends a program that is told a size which is no power of two (mallocinit in runtime/malloc.go)",
			Unsupported:  claim.Where(unassembled),
			UserMode:     claim.Emulated,
			Uninjectable: early, Factless: true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				g.Expect(t.Step(stage0.Auxv).Uint("AT_PAGESZ")).To(gomega.BeElementOf(pageSizes(a.GOARCH)), "AT_PAGESZ on %s", a.GOARCH)
				t.Step(stage0.MapPages).Result()
				half := t.Step(stage0.HalfPage) // a smaller page would begin there
				g.Expect(half.OK()).To(gomega.BeFalse(), "step %s: %s succeeds", half.Step, half.Call)
				expect.OK(g, t.Step(stage0.OnePage))
				killed(g, a, t.Step(stage0.FirstPage))
				o := t.Step(stage0.NextPage) // a larger page would be gone
				expect.OK(g, o)
				g.Expect(o.Uint("status")).To(gomega.BeZero(), "step %s: how the child ended", o.Step)
			}),
		},
		{
			ID: "SZ-013", Level: verdict.Should,
			English:     "An architecture that came after prlimit64 has no getrlimit: its number in asm-generic fails with ENOSYS.",
			Chinese:     "在 prlimit64 之后才出现的架构没有 getrlimit：其在 asm-generic 中的调用号以 ENOSYS 失败。",
			Source:      "__ARCH_WANT_SET_GET_RLIMIT in arch/*/include/asm/unistd.h; the old world of LoongArch (ABI 1.0) has it, where SZ-008 decides. A kernel of the new world may have it from a module for programs of the old one, which breaks nothing",
			Unsupported: claim.Where(oldWorld),
			UserMode:    claim.Emulated,
			Factless:    true,
			Check: expect.WithTable(func(g gomega.Gomega, t claim.Transcript, a abi.Table, _ facts.Facts) {
				expect.Errno(g, a, t.Step(stage0.OldLimits), "ENOSYS")
			}),
		},
	}
}

// pageSizes returns the sizes of a page in bytes that a kernel of an architecture may be
// built with.
func pageSizes(goarch string) []uint64 {
	const (
		k4, k8, k16, k32, k64 = 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10
	)
	return map[string][]uint64{
		"alpha":   {k8}, // arch/alpha/include/asm/page.h
		"amd64":   {k4}, // arch/x86/include/asm/page_types.h
		"arm64":   {k4, k16, k64},
		"loong64": {k4, k16, k64},
		// 8 and 32 KiB on Octeon and others.
		"mips64le": {k4, k8, k16, k32, k64},
		"sw64":     {k8}, // arch/sw_64/include/asm/page.h of openEuler
	}[goarch]
}

// unassembled excludes architectures that stage 0 has no assembly for.
func unassembled(a abi.Table) string { return stage0.Unassembled(a.GOARCH) }

// oldWorld also excludes architectures that have a getrlimit.
func oldWorld(a abi.Table) string {
	if !stage0.AsksOldLimits(a) {
		return "the architecture has a getrlimit"
	}
	return unassembled(a)
}

// usable expects a mapping that a child could read and write.
func usable(g gomega.Gomega, t claim.Transcript, step string) {
	expect.OK(g, t.Step(step))
	for _, touched := range []string{stage0.Read(step), stage0.Write(step)} {
		o := t.Step(touched)
		expect.OK(g, o)
		g.Expect(o.Uint("status")).To(gomega.BeZero(), "step %s: how the child ended", touched)
	}
}

// killed expects a child to have ended with SIGSEGV.
func killed(g gomega.Gomega, a abi.Table, o claim.Observation) {
	// The bits of the signal in a status of wait4. The next bit tells of a core file.
	const signal = 0x7f
	expect.OK(g, o)
	g.Expect(o.Uint("status")&signal).To(gomega.Equal(a.Signal.Segv), "step %s: the signal that ended the child", o.Step)
}

// limited stops a check if the limit was not set: the clone then says nothing.
func limited(o claim.Observation) {
	if got := o.Value("prlimit64"); got != "0x0" {
		panic(claim.Missing{Probe: stage0.Probe, Step: o.Step, Value: "prlimit64", Reason: "the limit could not be set: " + got})
	}
}
