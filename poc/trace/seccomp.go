// Package trace watches and changes the system calls of other processes. It builds
// and installs seccomp filters, and uses ptrace at the stops of a call.
package trace

import (
	"runtime"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/sys"
)

// Instruction is struct sock_filter (include/uapi/linux/filter.h).
type Instruction struct {
	Code   uint16
	JT, JF uint8 // number of instructions to skip if true, or if false
	K      uint32
}

// Codes of include/uapi/linux/bpf_common.h.
const (
	LoadWord  = 0x20 // BPF_LD | BPF_W | BPF_ABS
	JumpEqual = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	JumpSet   = 0x45 // BPF_JMP | BPF_JSET | BPF_K
	GiveBack  = 0x06 // BPF_RET | BPF_K
)

// Answers of a filter (include/uapi/linux/seccomp.h).
const (
	Allow = 0x7fff0000
	Stop  = 0x7ff00000 // SECCOMP_RET_TRACE: the tracer decides
	Ask   = 0x7fc00000 // SECCOMP_RET_USER_NOTIF: the listener decides
	Error = 0x00050000 // SECCOMP_RET_ERRNO; the low bits hold the errno
)

// Offsets in struct seccomp_data (include/uapi/linux/seccomp.h): the number of the call
// is an int in the machine's byte order, and AUDIT_ARCH_* follows.
const (
	OffsetNumber = 0
	OffsetArch   = 4
)

// Flags of a filter.
const (
	AllThreads  = 1 << 0 // SECCOMP_FILTER_FLAG_TSYNC
	NewListener = 1 << 3 // SECCOMP_FILTER_FLAG_NEW_LISTENER: returns the listener's descriptor
)

// Filter returns a program that gives one answer to the calls with some numbers and
// lets all others pass. It checks nothing else, so it is the same on every
// architecture.
func Filter(answer uint32, numbers ...uint64) []Instruction {
	program := []Instruction{{Code: LoadWord, K: OffsetNumber}}
	for _, number := range numbers {
		program = append(program,
			Instruction{Code: JumpEqual, JF: 1, K: uint32(number)},
			Instruction{Code: GiveBack, K: answer})
	}
	return append(program, Instruction{Code: GiveBack, K: Allow})
}

// FilterFlag returns a program that gives one answer to calls of one number if an
// argument has a flag. The flag must be in the lower 32 bits. All other calls pass.
func FilterFlag(answer uint32, number uint64, argument int, flag uint32) []Instruction {
	return []Instruction{
		{Code: LoadWord, K: OffsetNumber},
		{Code: JumpEqual, JF: 3, K: uint32(number)},
		{Code: LoadWord, K: OffsetArgument(argument)},
		{Code: JumpSet, JF: 1, K: flag},
		{Code: GiveBack, K: answer},
		{Code: GiveBack, K: Allow},
	}
}

// OffsetArgument returns the offset of an argument's lower 32 bits in struct
// seccomp_data. The arguments come after the number, the architecture and the
// instruction pointer, in the machine's byte order.
func OffsetArgument(argument int) uint32 {
	at := uint32(16 + 8*argument)
	one := uint64(1)
	if *(*uint32)(unsafe.Pointer(&one)) == 0 {
		at += 4
	}
	return at
}

// setModeFilter is SECCOMP_SET_MODE_FILTER.
const setModeFilter = 1

// program is struct sock_fprog.
type program struct {
	length uint16
	first  *Instruction
}

func programOf(filter []Instruction) *program {
	return &program{uint16(len(filter)), &filter[0]}
}

// Install puts a filter on the calling thread, the programs that it executes and
// its children. It needs root or no_new_privs, and CONFIG_SECCOMP_FILTER.
func Install(k *sys.Kernel, flags uintptr, filter []Instruction) (uintptr, syscall.Errno) {
	program := programOf(filter)
	r, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Seccomp), setModeFilter, flags, uintptr(unsafe.Pointer(program)))
	runtime.KeepAlive(program)
	return r, errno
}
