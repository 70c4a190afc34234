package main

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/sys"
)

// parentCall is the call by which a program learns who started it. The tracer
// answers it: a probe of limits asks whether it is the agent's own child.
const parentCall = "getppid"

// callNumbers gives the numbers of the calls that a model changes or must see.
func callNumbers(k abi.Table, model defect.Model) (map[uint64]string, error) {
	table := map[string]uint64{
		"mmap": k.Syscall.Mmap, "munmap": k.Syscall.Munmap, "mprotect": k.Syscall.Mprotect,
		"madvise": k.Syscall.Madvise, "clone": k.Syscall.Clone, "clone3": k.Syscall.Clone3,
		"prctl": k.Syscall.Prctl, "personality": k.Syscall.Personality, "prlimit64": k.Syscall.Prlimit64,
		"sigaltstack": k.Syscall.Sigaltstack, "sched_setattr": k.Syscall.SchedSetattr,
	}
	everywhere := map[string]uint64{
		"execve": syscall.SYS_EXECVE, "read": syscall.SYS_READ,
		"write": syscall.SYS_WRITE, "pwrite64": syscall.SYS_PWRITE64,
	}
	numbers := map[uint64]string{}
	for _, name := range model.Calls {
		number, known := everywhere[name]
		if !known {
			number = table[name]
			known = number != 0
		}
		if !known {
			return nil, fmt.Errorf("%s has no system call %q that could be changed", k.GOARCH, name)
		}
		numbers[number] = name
	}
	numbers[syscall.SYS_GETPPID] = parentCall
	if model.Stacks {
		numbers[k.Syscall.Mmap] = "mmap"
	}
	return numbers, nil
}

// instruction is struct sock_filter (include/uapi/linux/filter.h).
type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// Instructions and answers of include/uapi/linux/{bpf_common,seccomp}.h.
const (
	loadWord  = 0x20 // BPF_LD | BPF_W | BPF_ABS
	jumpEqual = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	giveBack  = 0x06 // BPF_RET | BPF_K

	allow = 0x7fff0000 // SECCOMP_RET_ALLOW
	trace = 0x7ff00000 // SECCOMP_RET_TRACE

	// numberOffset is where struct seccomp_data has the number of the call, an
	// int in the machine's own byte order.
	numberOffset = 0
)

// filter is a program that stops the calls of some numbers for the tracer and
// lets all others pass.
func filter(numbers map[uint64]string) []instruction {
	program := []instruction{{code: loadWord, k: numberOffset}}
	for number := range numbers {
		program = append(program,
			instruction{code: jumpEqual, jf: 1, k: uint32(number)},
			instruction{code: giveBack, k: trace})
	}
	return append(program, instruction{code: giveBack, k: allow})
}

// program is struct sock_fprog.
type program struct {
	length uint16
	first  *instruction
}

// install puts the filter on this thread, and on what it becomes and starts.
func install(k *sys.Kernel, filter []instruction) error {
	const setSeccomp, modeFilter = 22, 2 // PR_SET_SECCOMP, SECCOMP_MODE_FILTER
	p := &program{length: uint16(len(filter)), first: &filter[0]}
	_, errno := k.Prctl(setSeccomp, modeFilter, uintptr(unsafe.Pointer(p)), 0, 0)
	runtime.KeepAlive(p)
	if errno != 0 {
		return fmt.Errorf("install the seccomp filter: errno %d %s; it needs root and CONFIG_SECCOMP_FILTER",
			int(errno), k.ErrnoName(int(errno)))
	}
	return nil
}
