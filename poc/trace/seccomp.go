// Package trace watches and changes system calls from outside: by seccomp
// filters, which are built here, and by ptrace at the stops of a call.
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
	JT, JF uint8 // how many instructions to leave out where it is true, or false
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
	Stop  = 0x7ff00000 // SECCOMP_RET_TRACE: for the tracer
	Ask   = 0x7fc00000 // SECCOMP_RET_USER_NOTIF: for the listener
	Error = 0x00050000 // SECCOMP_RET_ERRNO, with the number below
)

// Flags of a filter.
const (
	AllThreads  = 1 << 0 // SECCOMP_FILTER_FLAG_TSYNC
	NewListener = 1 << 3 // SECCOMP_FILTER_FLAG_NEW_LISTENER: the descriptor is returned
)

// Filter is a program that gives one answer to the calls of some numbers and
// lets all others pass. It looks at nothing else, so it is the same on every
// architecture.
func Filter(answer uint32, numbers ...uint64) []Instruction {
	// struct seccomp_data begins with the number of the call, an int in the
	// machine's own byte order.
	program := []Instruction{{Code: LoadWord, K: 0}}
	for _, number := range numbers {
		program = append(program,
			Instruction{Code: JumpEqual, JF: 1, K: uint32(number)},
			Instruction{Code: GiveBack, K: answer})
	}
	return append(program, Instruction{Code: GiveBack, K: Allow})
}

// FilterFlag is a program that gives one answer to the calls of one number
// that have a flag, of the lower 32, in an argument, and lets all others pass.
func FilterFlag(answer uint32, number uint64, argument int, flag uint32) []Instruction {
	return []Instruction{
		{Code: LoadWord, K: 0},
		{Code: JumpEqual, JF: 3, K: uint32(number)},
		{Code: LoadWord, K: lowerHalf(argument)},
		{Code: JumpSet, JF: 1, K: flag},
		{Code: GiveBack, K: answer},
		{Code: GiveBack, K: Allow},
	}
}

// lowerHalf is where the lower 32 bits of an argument stand in struct
// seccomp_data: behind the number, the architecture and the instruction, in the
// machine's own byte order.
func lowerHalf(argument int) uint32 {
	at := uint32(16 + 8*argument)
	one := uint64(1)
	if *(*uint32)(unsafe.Pointer(&one)) == 0 {
		at += 4
	}
	return at
}

// Install puts a filter on the calling thread, and on what it becomes and
// starts. It needs root or no_new_privs, and CONFIG_SECCOMP_FILTER.
func Install(k *sys.Kernel, flags uintptr, filter []Instruction) (uintptr, syscall.Errno) {
	const setModeFilter = 1 // SECCOMP_SET_MODE_FILTER
	program := &struct {    // sock_fprog
		length uint16
		first  *Instruction
	}{uint16(len(filter)), &filter[0]}
	r, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Seccomp), setModeFilter, flags, uintptr(unsafe.Pointer(program)))
	runtime.KeepAlive(program)
	return r, errno
}
