package inject

import (
	"fmt"
	"syscall"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// parentCall is the call by which a program learns who started it. The tracer
// answers it, because a probe of limits asks whether it is the agent's own child.
const parentCall = "getppid"

// callNumbers returns the numbers of the calls that models change or must see.
func callNumbers(k abi.Table, models ...defect.Model) (map[uint64]string, error) {
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
	numbers := map[uint64]string{syscall.SYS_GETPPID: parentCall}
	for _, model := range models {
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
		if model.Stacks {
			numbers[k.Syscall.Mmap] = "mmap"
		}
	}
	return numbers, nil
}

// filters returns the filters that stop the given calls for the tracer and let all others
// pass. If all models are about mmap with MAP_STACK alone, other calls of mmap pass too: a
// Go program makes dozens when it starts.
func filters(k abi.Table, numbers map[uint64]string, models ...defect.Model) [][]trace.Instruction {
	marked := !k.MmapByPointer // a filter sees the arguments in registers
	for _, model := range models {
		marked = marked && model.Marked
	}
	var stopped []uint64
	for number, name := range numbers {
		if name != "mmap" || !marked {
			stopped = append(stopped, number)
		}
	}
	all := [][]trace.Instruction{trace.Filter(trace.Stop, stopped...)}
	if marked {
		all = append(all, trace.FilterFlag(trace.Stop, k.Syscall.Mmap, mmapFlags, uint32(k.Map.Stack)))
	}
	return all
}

// install puts a filter on this thread, the programs that it executes and its children.
func install(k *sys.Kernel, filter []trace.Instruction) error {
	_, errno := trace.Install(k, 0, filter)
	if errno == syscall.EACCES { // root without CAP_SYS_ADMIN, to whom no_new_privs is no loss
		const noNewPrivs = 38 // PR_SET_NO_NEW_PRIVS
		if _, errno = k.Prctl(noNewPrivs, 1, 0, 0, 0); errno == 0 {
			_, errno = trace.Install(k, 0, filter)
		}
	}
	if errno != 0 {
		return fmt.Errorf("install the seccomp filter: errno %d %s; it needs root and CONFIG_SECCOMP_FILTER",
			int(errno), k.ErrnoName(int(errno)))
	}
	return nil
}
