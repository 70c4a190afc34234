package watch

import (
	"maps"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// abiCalls are the calls that matter in one ABI of a machine.
type abiCalls struct {
	name  string // "" for the machine's own ABI
	audit uint32 // AUDIT_ARCH_* (include/uapi/linux/audit.h)
	word  uint64 // bytes of a long
	// x32 numbers have this bit, because the ABI shares AUDIT_ARCH with amd64.
	bit uint64
	// numbers has no call twice, and no alias of a call that the ABI has not.
	numbers map[string]uint64
	names   map[uint64]string
}

// Calls that are read by the watch and not reported as such.
const (
	callWrite      = "write"
	callWritev     = "writev"
	callPrctl      = "prctl"
	callPtrace     = "ptrace"
	callOldMmap    = "mmap by pointer"
	callSigreturn  = "sigreturn"
	callSigreturn2 = "rt_sigreturn"
)

// From include/uapi/linux/audit.h and elf-em.h.
const (
	audit386 = 0x40000003
	auditARM = 0x40000028
	x32Bit   = 0x40000000 // __X32_SYSCALL_BIT
)

// abisOf returns the ABIs that programs of an architecture may use, its own first. It
// returns none for an architecture whose numbers are not listed.
func abisOf(rec arch.Record) []abiCalls {
	own := numbers()[rec.GOARCH]
	if own == nil {
		return nil
	}
	list := append([]abiCalls{{audit: auditArch(rec), word: 8, numbers: own}}, foreign()[rec.GOARCH]...)
	for i := range list {
		list[i].names = make(map[uint64]string, len(list[i].numbers))
		for name, number := range list[i].numbers {
			list[i].names[number|list[i].bit] = name
		}
	}
	return list
}

// auditArch returns AUDIT_ARCH_* of an architecture.
func auditArch(r arch.Record) uint32 {
	const wide, little = 0x80000000, 0x40000000
	audit := uint32(r.ELF) | wide
	if !r.Big {
		audit |= little
	}
	return audit
}

// numbers returns the calls of each architecture's own ABI, from the files that
// poc/abi/records.go names.
func numbers() map[string]map[string]uint64 {
	generic := map[string]uint64{
		"clone": 220, "clone3": 435, "execve": 221, "execveat": 281,
		"mmap": 222, "mprotect": 226, "mremap": 216, "brk": 214, "unshare": 97, "setns": 268,
		"setuid": 146, "setreuid": 145, "setresuid": 147, "setrlimit": 164, "prlimit64": 261,
		"seccomp": 277, callPrctl: 167, callPtrace: 117, callWrite: 64, callWritev: 66, callSigreturn2: 139,
	}
	return map[string]map[string]uint64{
		"amd64": {
			"clone": 56, "clone3": 435, "fork": 57, "vfork": 58, "execve": 59, "execveat": 322,
			"mmap": 9, "mprotect": 10, "mremap": 25, "brk": 12, "unshare": 272, "setns": 308,
			"setuid": 105, "setreuid": 113, "setresuid": 117, "setrlimit": 160, "prlimit64": 302,
			"seccomp": 317, callPrctl: 157, callPtrace: 101, callWrite: 1, callWritev: 20, callSigreturn2: 15,
		},
		"arm64": generic, "riscv64": generic, "loong64": without(generic, "setrlimit"),
		"mips64le": {
			"clone": 5055, "clone3": 5435, "fork": 5056, "execve": 5057, "execveat": 5316,
			"mmap": 5009, "mprotect": 5010, "mremap": 5024, "brk": 5012, "unshare": 5262, "setns": 5303,
			"setuid": 5103, "setreuid": 5111, "setresuid": 5115, "setrlimit": 5155, "prlimit64": 5297,
			"seccomp": 5312, callPrctl: 5153, callPtrace: 5099, callWrite: 5001, callWritev: 5019, callSigreturn2: 5211,
		},
		"ppc64le": {
			"clone": 120, "clone3": 435, "fork": 2, "vfork": 189, "execve": 11, "execveat": 362,
			"mmap": 90, "mprotect": 125, "mremap": 163, "brk": 45, "unshare": 282, "setns": 350,
			"setuid": 23, "setreuid": 70, "setresuid": 164, "setrlimit": 75, "prlimit64": 325,
			"seccomp": 358, callPrctl: 171, callPtrace: 26, callWrite: 4, callWritev: 146, callSigreturn: 119, callSigreturn2: 172,
		},
		"s390x": {
			"clone": 120, "clone3": 435, "fork": 2, "vfork": 190, "execve": 11, "execveat": 354,
			callOldMmap: 90, "mprotect": 125, "mremap": 163, "brk": 45, "unshare": 303, "setns": 339,
			"setuid": 213, "setreuid": 203, "setresuid": 208, "setrlimit": 75, "prlimit64": 334,
			"seccomp": 348, callPrctl: 172, callPtrace: 26, callWrite: 4, callWritev: 146, callSigreturn: 119, callSigreturn2: 173,
		},
	}
}

// foreign returns the ABIs of other architectures whose programs a machine runs too.
func foreign() map[string][]abiCalls {
	amd64 := numbers()["amd64"]
	return map[string][]abiCalls{
		"amd64": {
			// arch/x86/entry/syscalls/syscall_64.tbl, from 512
			{name: "x32", audit: 0xc000003e, word: 4, bit: x32Bit, numbers: with(amd64, map[string]uint64{
				"execve": 520, "execveat": 545, callPtrace: 521, callWritev: 516, callSigreturn2: 513,
			})},
			// arch/x86/entry/syscalls/syscall_32.tbl. Of the calls for users the C
			// libraries use those of 32-bit numbers.
			{name: "386", audit: audit386, word: 4, numbers: map[string]uint64{
				"clone": 120, "clone3": 435, "fork": 2, "vfork": 190, "execve": 11, "execveat": 358,
				callOldMmap: 90, "mmap": 192, "mprotect": 125, "mremap": 163, "brk": 45, "unshare": 310, "setns": 346,
				"setuid": 213, "setreuid": 203, "setresuid": 208, "setrlimit": 75, "prlimit64": 340,
				"seccomp": 354, callPrctl: 172, callPtrace: 26, callWrite: 4, callWritev: 146, callSigreturn: 119, callSigreturn2: 173,
			}},
		},
		"arm64": {
			// arch/arm/tools/syscall.tbl
			{name: "arm", audit: auditARM, word: 4, numbers: map[string]uint64{
				"clone": 120, "clone3": 435, "fork": 2, "vfork": 190, "execve": 11, "execveat": 387,
				"mmap": 192, "mprotect": 125, "mremap": 163, "brk": 45, "unshare": 337, "setns": 375,
				"setuid": 213, "setreuid": 203, "setresuid": 208, "setrlimit": 75, "prlimit64": 369,
				"seccomp": 383, callPrctl: 172, callPtrace: 26, callWrite: 4, callWritev: 146, callSigreturn: 119, callSigreturn2: 173,
			}},
		},
	}
}

// with returns a copy of numbers with some changed.
func with(numbers, changed map[string]uint64) map[string]uint64 {
	all := maps.Clone(numbers)
	maps.Copy(all, changed)
	return all
}

// without returns a copy of numbers that lacks one.
func without(numbers map[string]uint64, name string) map[string]uint64 {
	all := maps.Clone(numbers)
	delete(all, name)
	return all
}
