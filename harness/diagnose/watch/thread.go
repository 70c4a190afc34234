package watch

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
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

// Filtered reports whether seccomp filters beside that of the watch may apply to the
// thread.
func (t Thread) Filtered() bool { return t.others || t.own == nil }

// Filters returns the seccomp filters of the thread, the newest first, without that of the
// watch. It needs CAP_SYS_ADMIN, a tracer without filters of its own, and
// CONFIG_CHECKPOINT_RESTORE.
func (t Thread) Filters() ([][]trace.Instruction, error) {
	if !t.Filtered() {
		return nil, nil
	}
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
		if filter = filter[:n:n]; !slices.Equal(filter, t.own) {
			all = append(all, filter)
		}
	}
	return nil, fmt.Errorf("%w: there are more than %d", ErrFilters, maxFilters)
}
