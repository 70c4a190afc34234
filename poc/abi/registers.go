package abi

// Registers tells where ptrace shows a stopped system call in the general registers
// (NT_PRSTATUS). Places count words of 64 bits.
type Registers struct {
	// Args holds the place of each argument that the kernel reads again after a
	// seccomp stop. It is Unreachable if the kernel does not read a change.
	Args [6]int
	// Result is the place of the result. For a failed call it holds minus the errno.
	// If Failed has a mask, it holds the errno itself, and the bits of Failed are
	// set.
	Result int
	Failed FailureFlag
	// Link is the place of the return address of a function call. It is Unreachable
	// if a call puts the address on the stack.
	Link int
}

// Unreachable stands for a word that ptrace does not show, or that does not exist.
const Unreachable = -1

// FailureFlag holds the bits of a word that are set when a call failed.
type FailureFlag struct {
	Word int
	Mask uint64
}

// Registers returns the layout of the architecture. It returns false for alpha, whose
// tracers cannot read NT_PRSTATUS (no HAVE_ARCH_TRACEHOOK in arch/alpha/Kconfig).
func (t Table) Registers() (Registers, bool) {
	r, ok := registers()[t.GOARCH]
	return r, ok
}

func registers() map[string]Registers {
	return map[string]Registers{
		// arch/x86/include/asm/user_64.h: rdi, rsi, rdx, r10, r8, r9; rax.
		"amd64": {Args: [6]int{14, 13, 12, 7, 9, 8}, Result: 10, Link: Unreachable},
		// arch/arm64/include/uapi/asm/ptrace.h: struct user_pt_regs begins with x0.
		"arm64": {Args: [6]int{0, 1, 2, 3, 4, 5}, Result: 0, Link: 30},
		// arch/loongarch/include/uapi/asm/ptrace.h: regs[4] is a0. The first argument
		// is read from orig_a0, after the 32 registers.
		"loong64": {Args: [6]int{32, 5, 6, 7, 8, 9}, Result: 4, Link: 1},
		// arch/mips/include/uapi/asm/reg.h: a0 to a5 are r4 to r9, and the result is
		// r2. a3 is not zero if the result is an error.
		"mips64le": {Args: [6]int{4, 5, 6, 7, 8, 9}, Result: 2, Failed: FailureFlag{Word: 7, Mask: ^uint64(0)}, Link: 31},
		// arch/powerpc/include/uapi/asm/ptrace.h: gpr[3] to gpr[8]. The first
		// argument is read from orig_gpr3 (do_seccomp in kernel/ptrace/ptrace.c). The
		// flag is CR0.SO in ccr.
		"ppc64le": {Args: [6]int{34, 4, 5, 6, 7, 8}, Result: 3, Failed: FailureFlag{Word: 38, Mask: 0x10000000}, Link: 36},
		// arch/riscv/include/uapi/asm/ptrace.h: pc, then x1; a0 is x10. The first
		// argument is read from orig_a0, which user_regs_struct lacks.
		"riscv64": {Args: [6]int{Unreachable, 11, 12, 13, 14, 15}, Result: 10, Link: 1},
		// arch/s390/include/uapi/asm/ptrace.h: two words of the PSW, sixteen gprs,
		// sixteen access registers in eight words, orig_gpr2.
		"s390x": {Args: [6]int{26, 5, 6, 7, 8, 9}, Result: 4, Link: 16},
		// arch/sw_64/include/uapi/asm/ptrace.h of openEuler and deepin, read and not run:
		// struct user_pt_regs begins with r0. The arguments are r16 to r21, and the result
		// is r0. After the call r19 is not zero if the result is an error
		// (arch/sw_64/kernel/entry.S). The return address is in r26.
		"sw64": {Args: [6]int{16, 17, 18, 19, 20, 21}, Result: 0, Failed: FailureFlag{Word: 19, Mask: ^uint64(0)}, Link: 26},
	}
}
