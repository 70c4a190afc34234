package abi

func amd64() Table {
	m := genericMap()
	// arch/x86/include/uapi/asm/mman.h; MAP_ABOVE4G since 6.6.
	m.Bit32, m.Above4G = 0x40, 0x80
	return Table{
		Map: m, Prot: genericProt(), Madv: genericMadv(), Mcl: genericMcl(), Open: genericOpen(),
		Rlimit: genericRlimit(), Signal: genericSignal(),
		// arch/x86/entry/syscalls/syscall_64.tbl
		Syscall: Syscall{
			Mmap: 9, Munmap: 11, Mprotect: 10, Mremap: 25, Madvise: 28, Mincore: 27,
			Clone: 56, Clone3: 435, Exit: 60, ExitGroup: 231,
			Gettid: 186, Tgkill: 234, Futex: 202,
			Prlimit64: 302, Sigaltstack: 131, RtSigaction: 13, RtSigprocmask: 14,
			Seccomp: 317, Prctl: 157, Ptrace: 101, Unshare: 272, Setns: 308,
			Personality: 135, MemfdCreate: 319, Setresuid: 117,
			PidfdOpen: 434, PidfdGetfd: 438, Pipe2: 293, SchedSetattr: 314,
			Write: 1, Wait4: 61, Execve: 59, Reboot: 169, Uname: 63, Getrlimit: 97,
		},
		CloneOrder: cloneForwards(),
		// runtime/sys_linux_amd64.s adds CLONE_SETTLS.
		GoThread:    goThread | 0x80000,
		MinSigStack: 2048,
		errno:       errnos(errnoBase(), errnoGeneric()),
	}
}

func arm64() Table {
	p := genericProt()
	// arch/arm64/include/uapi/asm/mman.h
	p.BTI, p.MTE = 0x10, 0x20
	return Table{
		Map: genericMap(), Prot: p, Madv: genericMadv(), Mcl: genericMcl(), Open: genericOpen(),
		Rlimit: genericRlimit(), Signal: genericSignal(), Syscall: genericSyscall(),
		CloneOrder:  cloneBackwards(), // arch/arm64/Kconfig
		GoThread:    goThread,
		MinSigStack: 5120,
		errno:       errnos(errnoBase(), errnoGeneric()),
	}
}

func loong64() Table {
	calls := genericSyscall()
	calls.Getrlimit = 0 // no __ARCH_WANT_SET_GET_RLIMIT in arch/loongarch; the old world had the call
	return Table{
		Map: genericMap(), Prot: genericProt(), Madv: genericMadv(), Mcl: genericMcl(), Open: genericOpen(),
		Rlimit: genericRlimit(), Signal: genericSignal(), Syscall: calls,
		// arch/loongarch/Kconfig does not select CLONE_BACKWARDS, although the system
		// call numbers are the generic ones.
		CloneOrder:  cloneForwards(),
		GoThread:    goThread,
		MinSigStack: 4096,
		errno:       errnos(errnoBase(), errnoGeneric()),
	}
}

func riscv64() Table {
	return Table{
		Map: genericMap(), Prot: genericProt(), Madv: genericMadv(), Mcl: genericMcl(), Open: genericOpen(),
		Rlimit: genericRlimit(), Signal: genericSignal(), Syscall: genericSyscall(),
		CloneOrder:        cloneBackwards(), // arch/riscv/Kconfig
		GoThread:          goThread,
		GoLosesCloneError: true,
		WriteMayRead:      true,
		MinSigStack:       2048,
		errno:             errnos(errnoBase(), errnoGeneric()),
	}
}

func mips64le() Table {
	m := genericMap()
	// arch/mips/include/uapi/asm/mman.h. MAP_SYNC and MAP_UNINITIALIZED are not
	// defined there.
	m.NoReserve, m.Anonymous = 0x400, 0x800
	m.GrowsDown, m.DenyWrite, m.Executable, m.Locked = 0x1000, 0x2000, 0x4000, 0x8000
	m.Populate, m.NonBlock, m.Stack, m.HugeTLB = 0x10000, 0x20000, 0x40000, 0x80000
	m.Sync, m.Uninitialized = 0, 0
	p := genericProt()
	p.Sem = 0x10
	return Table{
		Map: m, Prot: p, Madv: genericMadv(), Mcl: genericMcl(),
		Open: Open{NonBlock: 0x80, CloExec: 0x80000}, // arch/mips/include/uapi/asm/fcntl.h
		// arch/mips/include/uapi/asm/resource.h
		Rlimit: Rlimit{
			FSize: 1, Data: 2, Stack: 3, Core: 4, NoFile: 5, AS: 6, RSS: 7, NProc: 8, MemLock: 9,
			Infinity: ^uint64(0),
		},
		// arch/mips/include/uapi/asm/signal.h
		Signal: Signal{Kill: 9, Segv: 11, Bus: 10, Usr1: 16, Chld: 18, Urg: 21, Prof: 29, Sys: 12, Max: 128},
		// arch/mips/kernel/syscalls/syscall_n64.tbl, from 5000
		Syscall: Syscall{
			Mmap: 5009, Munmap: 5011, Mprotect: 5010, Mremap: 5024, Madvise: 5027, Mincore: 5026,
			Clone: 5055, Clone3: 5435, Exit: 5058, ExitGroup: 5205,
			Gettid: 5178, Tgkill: 5225, Futex: 5194,
			Prlimit64: 5297, Sigaltstack: 5129, RtSigaction: 5013, RtSigprocmask: 5014,
			Seccomp: 5312, Prctl: 5153, Ptrace: 5099, Unshare: 5262, Setns: 5303,
			Personality: 5132, MemfdCreate: 5314, Setresuid: 5115,
			PidfdOpen: 5434, PidfdGetfd: 5438, Pipe2: 5287, SchedSetattr: 5309,
			Write: 5001, Wait4: 5059, Execve: 5057, Reboot: 5164, Uname: 5061, Getrlimit: 5095,
		},
		CloneOrder:        cloneBackwards(), // arch/mips/Kconfig
		GoThread:          goThread,
		MinSigStack:       2048,
		SigStackSizeFirst: true,
		errno:             errnos(errnoBase(), errnoMIPS()),
	}
}

func ppc64le() Table {
	m := genericMap()
	// arch/powerpc/include/uapi/asm/mman.h
	m.NoReserve, m.Locked = 0x40, 0x80
	p := genericProt()
	p.SAO = 0x10
	return Table{
		Map: m, Prot: p, Madv: genericMadv(), Mcl: alphaMcl(), Open: genericOpen(),
		Rlimit: genericRlimit(), Signal: genericSignal(),
		// arch/powerpc/kernel/syscalls/syscall.tbl
		Syscall: Syscall{
			Mmap: 90, Munmap: 91, Mprotect: 125, Mremap: 163, Madvise: 205, Mincore: 206,
			Clone: 120, Clone3: 435, Exit: 1, ExitGroup: 234,
			Gettid: 207, Tgkill: 250, Futex: 221,
			Prlimit64: 325, Sigaltstack: 185, RtSigaction: 173, RtSigprocmask: 174,
			Seccomp: 358, Prctl: 171, Ptrace: 26, Unshare: 282, Setns: 350,
			Personality: 136, MemfdCreate: 360, Setresuid: 164,
			PidfdOpen: 434, PidfdGetfd: 438, Pipe2: 317, SchedSetattr: 355,
			Write: 4, Wait4: 114, Execve: 11, Reboot: 88, Uname: 122, Getrlimit: 76,
		},
		CloneOrder:  cloneBackwards(), // arch/powerpc/Kconfig
		GoThread:    goThread,
		MinSigStack: 8192,
		// arch/powerpc/include/uapi/asm/errno.h has one name that is not generic.
		errno: errnos(errnoBase(), errnoGeneric(), map[string]int{"EDEADLOCK": 58}),
	}
}

func s390x() Table {
	return Table{
		Map: genericMap(), Prot: genericProt(), Madv: genericMadv(), Mcl: genericMcl(), Open: genericOpen(),
		Rlimit: genericRlimit(), Signal: genericSignal(),
		// arch/s390/kernel/syscalls/syscall.tbl
		Syscall: Syscall{
			Mmap: 90, Munmap: 91, Mprotect: 125, Mremap: 163, Madvise: 219, Mincore: 218,
			Clone: 120, Clone3: 435, Exit: 1, ExitGroup: 248,
			Gettid: 236, Tgkill: 241, Futex: 238,
			Prlimit64: 334, Sigaltstack: 186, RtSigaction: 174, RtSigprocmask: 175,
			Seccomp: 348, Prctl: 172, Ptrace: 26, Unshare: 303, Setns: 339,
			Personality: 136, MemfdCreate: 350, Setresuid: 208,
			PidfdOpen: 434, PidfdGetfd: 438, Pipe2: 325, SchedSetattr: 345,
			Write: 4, Wait4: 114, Execve: 11, Reboot: 88, Uname: 122, Getrlimit: 191,
		},
		CloneOrder:    cloneBackwards2(), // arch/s390/Kconfig
		GoThread:      goThread,
		MmapByPointer: true,
		MinSigStack:   2048,
		errno:         errnos(errnoBase(), errnoGeneric()),
	}
}

// alphaMap is arch/alpha/include/uapi/asm/mman.h.
func alphaMap() Map {
	return Map{
		Shared: 0x1, Private: 0x2, SharedValidate: 0x3, Droppable: 0x8, Type: 0xf,
		Anonymous: 0x10, Fixed: 0x100,
		GrowsDown: 0x1000, DenyWrite: 0x2000, Executable: 0x4000, Locked: 0x8000, NoReserve: 0x10000,
		Populate: 0x20000, NonBlock: 0x40000, Stack: 0x80000, HugeTLB: 0x100000,
		FixedNoReplace: 0x200000, HugeShift: 26,
	}
}

// alphaSyscall is arch/alpha/kernel/syscalls/syscall.tbl.
func alphaSyscall() Syscall {
	return Syscall{
		Mmap: 71, Munmap: 73, Mprotect: 74, Mremap: 341, Madvise: 75, Mincore: 375,
		Clone: 312, Clone3: 545, Exit: 1, ExitGroup: 405, // clone3 since 6.12
		Gettid: 378, Tgkill: 424, Futex: 394,
		Prlimit64: 496, Sigaltstack: 235, RtSigaction: 352, RtSigprocmask: 353,
		Seccomp: 514, Prctl: 348, Ptrace: 26, Unshare: 465, Setns: 501,
		Personality: 324, MemfdCreate: 512, Setresuid: 343,
		PidfdOpen: 544, PidfdGetfd: 548, Pipe2: 488, SchedSetattr: 508,
		Write: 4, Wait4: 365, Execve: 59, Reboot: 311, Uname: 339, Getrlimit: 144,
	}
}

func alpha() Table {
	madv := genericMadv()
	madv.DontNeed = 6 // arch/alpha/include/uapi/asm/mman.h
	return Table{
		Map: alphaMap(), Prot: genericProt(), Madv: madv, Mcl: alphaMcl(),
		Open: Open{NonBlock: 0x4, CloExec: 0x200000}, // arch/alpha/include/uapi/asm/fcntl.h
		// arch/alpha/include/uapi/asm/resource.h
		Rlimit: Rlimit{
			FSize: 1, Data: 2, Stack: 3, Core: 4, RSS: 5, NoFile: 6, AS: 7, NProc: 8, MemLock: 9,
			Infinity: 1<<63 - 1,
		},
		// arch/alpha/include/uapi/asm/signal.h
		Signal:      Signal{Kill: 9, Segv: 11, Bus: 10, Usr1: 30, Chld: 20, Urg: 16, Prof: 27, Sys: 12, Max: 64},
		Syscall:     alphaSyscall(),
		CloneOrder:  cloneForwards(), // no CLONE_BACKWARDS in arch/alpha/Kconfig
		GoThread:    goThread,
		MinSigStack: 4096,
		Clone3Since: "6.12",
		errno:       errnos(errnoBase(), errnoAlpha()),
		lacks:       alphaLacks(),
	}
}

// sw64 has alpha's user ABI, as arch/sw_64 of openEuler shows.
// uapi/asm/{mman,errno,fcntl,resource,signal}.h are the same. So are the call numbers,
// except those added after the ports diverged.
func sw64() Table {
	t := alpha()
	t.Map.Droppable = 0 // not in the headers of 4.19 to 6.6
	t.GoLosesCloneError = true
	t.lacks, t.Clone3Since = sw64Lacks(), ""
	// arch/sw_64/kernel/syscalls/syscall.tbl has these three only in newer kernels.
	t.Syscall.Clone3, t.Syscall.PidfdOpen, t.Syscall.PidfdGetfd = 282, 281, 285
	return t
}
