package abi

// The functions here hold what most architectures share. records.go has the
// differences of each.

// genericMap is include/uapi/asm-generic/{mman-common,mman}.h, with
// include/uapi/linux/mman.h for the types and MAP_DROPPABLE (6.11).
func genericMap() Map {
	return Map{
		Shared: 0x1, Private: 0x2, SharedValidate: 0x3, Droppable: 0x8, Type: 0xf,
		Fixed: 0x10, Anonymous: 0x20,
		GrowsDown: 0x100, DenyWrite: 0x800, Executable: 0x1000,
		Locked: 0x2000, NoReserve: 0x4000,
		Populate: 0x8000, NonBlock: 0x10000, Stack: 0x20000, HugeTLB: 0x40000,
		Sync: 0x80000, FixedNoReplace: 0x100000, Uninitialized: 0x4000000,
		HugeShift: 26,
	}
}

// genericProt is include/uapi/asm-generic/mman-common.h.
func genericProt() Prot {
	return Prot{Read: 1, Write: 2, Exec: 4, Sem: 8, GrowsDown: 0x1000000, GrowsUp: 0x2000000}
}

// genericMadv is include/uapi/asm-generic/mman-common.h of 7.3; older kernels
// refuse the values they do not know yet.
func genericMadv() Madv {
	return Madv{
		DontNeed: 4, Free: 8, HugePage: 14, NoHugePage: 15,
		PopulateRead: 22, PopulateWrite: 23, Collapse: 25, // 5.14, 5.14, 6.1
		GuardInstall: 102, GuardRemove: 103, // 6.13
	}
}

// genericMcl is include/uapi/asm-generic/mman.h.
func genericMcl() Mcl { return Mcl{Current: 1, Future: 2, OnFault: 4} }

// alphaMcl is arch/{alpha,powerpc,sw_64}/include/uapi/asm/mman.h. Alpha chose the
// values of OSF/1 and powerpc those of AIX, which are the same.
func alphaMcl() Mcl { return Mcl{Current: 0x2000, Future: 0x4000, OnFault: 0x8000} }

// genericOpen is include/uapi/asm-generic/fcntl.h.
func genericOpen() Open { return Open{NonBlock: 0x800, CloExec: 0x80000} }

// genericRlimit is include/uapi/asm-generic/resource.h.
func genericRlimit() Rlimit {
	return Rlimit{
		FSize: 1, Data: 2, Stack: 3, Core: 4, RSS: 5, NProc: 6, NoFile: 7, MemLock: 8, AS: 9,
		Infinity: ^uint64(0),
	}
}

// genericSignal is include/uapi/asm-generic/signal.h. The numbers in
// arch/{x86,powerpc,s390}/include/uapi/asm/signal.h are the same.
func genericSignal() Signal {
	return Signal{Kill: 9, Segv: 11, Bus: 7, Usr1: 10, Chld: 17, Urg: 23, Prof: 27, Sys: 31, Max: 64}
}

// genericSyscall is include/uapi/asm-generic/unistd.h, for arm64, loong64 and
// riscv64.
func genericSyscall() Syscall {
	return Syscall{
		Mmap: 222, Munmap: 215, Mprotect: 226, Mremap: 216, Madvise: 233, Mincore: 232,
		Clone: 220, Clone3: 435, Exit: 93, ExitGroup: 94,
		Gettid: 178, Tgkill: 131, Futex: 98,
		Prlimit64: 261, Sigaltstack: 132, RtSigaction: 134, RtSigprocmask: 135,
		Seccomp: 277, Prctl: 167, Ptrace: 117, Unshare: 97, Setns: 268,
		Personality: 92, MemfdCreate: 279, Setresuid: 147,
		PidfdOpen: 434, PidfdGetfd: 438, Pipe2: 59, SchedSetattr: 274,
		Write: 64, Wait4: 260, Execve: 221, Reboot: 142, Uname: 160, Getrlimit: 163,
	}
}

// cloneForwards is kernel/fork.c without CONFIG_CLONE_BACKWARDS*.
func cloneForwards() CloneOrder {
	return CloneOrder{CloneFlags, CloneStack, CloneParentTID, CloneChildTID, CloneTLS}
}

// cloneBackwards is kernel/fork.c with CONFIG_CLONE_BACKWARDS.
func cloneBackwards() CloneOrder {
	return CloneOrder{CloneFlags, CloneStack, CloneParentTID, CloneTLS, CloneChildTID}
}

// cloneBackwards2 is kernel/fork.c with CONFIG_CLONE_BACKWARDS2.
func cloneBackwards2() CloneOrder {
	return CloneOrder{CloneStack, CloneFlags, CloneParentTID, CloneChildTID, CloneTLS}
}

// goThread is CLONE_VM|FS|FILES|SIGHAND|SYSVSEM|THREAD, as cloneFlags in Go's
// runtime/os_linux.go.
const goThread = 0x50f00
