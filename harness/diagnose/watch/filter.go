package watch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// filterFor returns a seccomp filter that stops a thread at the calls that matter, in
// every ABI, and lets all others pass at full speed. A call of an ABI that is not known
// stops too, so that it can be told.
func filterFor(abis []abiCalls) []trace.Instruction {
	program := []trace.Instruction{{Code: trace.LoadWord, K: trace.OffsetArch}}
	for len(abis) > 0 {
		audit := abis[0].audit
		block := []trace.Instruction{{Code: trace.LoadWord, K: trace.OffsetNumber}}
		for len(abis) > 0 && abis[0].audit == audit {
			block = append(block, stopsOf(abis[0])...)
			abis = abis[1:]
		}
		block = append(block, trace.Instruction{Code: trace.GiveBack, K: trace.Allow})
		program = append(program, trace.Instruction{Code: trace.JumpEqual, JF: uint8(len(block)), K: audit})
		program = append(program, block...)
	}
	return append(program, trace.Instruction{Code: trace.GiveBack, K: trace.Stop})
}

// stopsOf returns the part of a filter for one ABI. The number of the call is loaded.
func stopsOf(abi abiCalls) (program []trace.Instruction) {
	stop := trace.Instruction{Code: trace.GiveBack, K: trace.Stop}
	for _, name := range slices.Sorted(maps.Keys(abi.numbers)) {
		number := uint32(abi.numbers[name] | abi.bit)
		first, conditional := firstArgument(name)
		switch {
		case name == callSigreturn || name == callSigreturn2:
		case conditional:
			program = append(program,
				trace.Instruction{Code: trace.JumpEqual, JF: 4, K: number},
				trace.Instruction{Code: trace.LoadWord, K: trace.OffsetArgument(0)},
				trace.Instruction{Code: trace.JumpEqual, JF: 1, K: first}, stop,
				trace.Instruction{Code: trace.GiveBack, K: trace.Allow})
		default:
			program = append(program, trace.Instruction{Code: trace.JumpEqual, JF: 1, K: number}, stop)
		}
	}
	return program
}

// firstArgument returns the first argument with which a call matters, if not with all.
func firstArgument(call string) (uint32, bool) {
	switch call {
	case callWrite, callWritev:
		return uint32(syscall.Stderr), true
	case callPrctl:
		return unix.PR_SET_SECCOMP, true
	}
	return 0, false
}

// filtering is how a program can be given a filter.
type filtering struct {
	program []trace.Instruction
	// unprivileged demands PR_SET_NO_NEW_PRIVS first.
	unprivileged bool
}

// filterHere returns the filter that the calling thread may give to its program, or why
// it must not:
//
//   - A program that has inherited a filter keeps that one alone. The stricter answer
//     wins, so a stop would be missed where the other filter refuses.
//   - Without CAP_SYS_ADMIN a filter needs no_new_privs, with which set-user-ID programs
//     do not get their user. A tracer without CAP_SYS_PTRACE has that effect anyway. So
//     the filter costs nothing more, unless this process has only CAP_SYS_PTRACE.
//   - The kernel kills a watcher at its hard limit of CPU time, which counts for each process
//     by itself. A program with a filter would end with it.
//   - Before Linux 4.8 the stop of a filter came before the stop of a call's entry.
//
// The limits must be those that the watcher will have.
func filterHere(k *sys.Kernel, abis []abiCalls) (filtering, error) {
	if err := trace.Orderly(); err != nil {
		return filtering{}, err
	}
	if mode, errno := k.Prctl(unix.PR_GET_SECCOMP, 0, 0, 0, 0); errno != 0 || mode != 0 {
		return filtering{}, errors.New("this process has a seccomp filter")
	}
	var cpu sys.Rlimit
	if errno := k.Prlimit64(unix.RLIMIT_CPU, nil, &cpu); errno != 0 || cpu.Max != unix.RLIM_INFINITY {
		return filtering{}, errors.New("RLIMIT_CPU may end the process that watches")
	}
	// The kernel reads the filter first, so that nothing changes.
	if _, _, errno := syscall.RawSyscall(uintptr(k.Syscall.Seccomp), unix.SECCOMP_SET_MODE_FILTER, 0, 0); errno != syscall.EFAULT {
		return filtering{}, fmt.Errorf("the kernel takes no seccomp filter: %w", errno)
	}
	admin, tracer := capable(unix.CAP_SYS_ADMIN), capable(unix.CAP_SYS_PTRACE)
	if !admin && tracer {
		return filtering{}, errors.New("this process may trace set-user-ID programs (CAP_SYS_PTRACE), which a filter would break without CAP_SYS_ADMIN")
	}
	return filtering{program: filterFor(abis), unprivileged: !admin}, nil
}

// install gives the filter to the calling thread, and so to the program that it
// executes.
func (f filtering) install(k *sys.Kernel) error {
	if f.unprivileged {
		if _, errno := k.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); errno != 0 {
			return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", errno)
		}
	}
	if _, errno := trace.Install(k, 0, f.program); errno != 0 {
		return fmt.Errorf("install a seccomp filter: %w", errno)
	}
	return nil
}

// capable reports whether this process has a capability
// (include/uapi/linux/capability.h). A process that cannot tell has none.
func capable(capability uint) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[capability/32].Effective>>(capability%32)&1 == 1
}
