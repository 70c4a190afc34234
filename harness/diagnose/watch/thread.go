package watch

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/poc/trace"
)

// processOf returns the process that a thread belongs to. It returns the thread
// itself when the thread has ended.
func processOf(tid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return tid
	}
	_, rest, _ := bytes.Cut(status, []byte("\nTgid:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil {
		return tid
	}
	return pid
}

// ErrFilters is wrapped by the errors of Filters.
var ErrFilters = errors.New("the seccomp filters cannot be read")

const (
	// maxFilters bounds how many filters are read. The kernel allows about eight of
	// the longest, or thousands of short ones.
	maxFilters = 1024
	// maxInstructions is BPF_MAXINSNS (include/uapi/linux/bpf_common.h).
	maxInstructions = 4096
)

// Filters returns the seccomp filters of the thread, the newest first. It needs CAP_SYS_ADMIN, a tracer without filters of its own, and
// CONFIG_CHECKPOINT_RESTORE.
func (t Thread) Filters() ([][]trace.Instruction, error) {
	var all [][]trace.Instruction
	for i := range maxFilters {
		filter := make([]trace.Instruction, maxInstructions)
		n, errno := trace.Ptrace(unix.PTRACE_SECCOMP_GET_FILTER, uintptr(t.tid), uintptr(i), uintptr(unsafe.Pointer(&filter[0])))
		switch {
		case errno == syscall.ENOENT:
			return all, nil
		case errno == syscall.EINVAL && i == 0:
			return nil, nil // the thread has none
		case errno != 0:
			return nil, fmt.Errorf("%w: PTRACE_SECCOMP_GET_FILTER: %w", ErrFilters, errno)
		case n > maxInstructions:
			return nil, fmt.Errorf("%w: one has %d instructions", ErrFilters, n)
		}
		all = append(all, filter[:n:n])
	}
	return nil, fmt.Errorf("%w: there are more than %d", ErrFilters, maxFilters)
}
