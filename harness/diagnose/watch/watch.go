// Package watch follows a program, its threads and its children by ptrace. It
// reports each call that makes a thread or a process, each mapping that fails, and
// what the program writes to its standard error.
//
// It stops at every system call, so that a web server under load takes 16 times as long.
// A seccomp filter that stops only at the calls that matter would be faster, but:
//   - It misses the refusals of the program's own filters: the strictest answer wins, and
//     the tracer is not told.
//   - Nobody can take it away again. Children that the program leaves behind would get
//     ENOSYS for every clone, because a stop without a tracer is answered with that.
//   - Without CAP_SYS_ADMIN it needs no_new_privs, with which set-user-ID programs fail.
package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// ErrForbidden is wrapped by the errors of Run and Attach when the program may not,
// or cannot, be traced from here. The program has not run then; Listen may work.
var ErrForbidden = errors.New("tracing is not possible")

// Options are what a watch needs besides its program.
type Options struct {
	Observer Observer
	// Signals are passed to a program that was started. May be nil.
	Signals <-chan os.Signal
	// Wake makes the watch call Observer.Woke. May be nil.
	Wake <-chan time.Time
}

// Command is a program to start.
type Command struct {
	Path string // of the executable file
	Args []string
	Env  []string
	// Files are its standard input, output and error.
	Files [3]*os.File
}

// Run starts a program and follows it to its end. The program dies with this
// process, and with the context. This process must start no other program meanwhile,
// because the watch waits for every child. The error is ErrForbidden when the
// program could not be traced; it was ended before its first instruction then.
func Run(ctx context.Context, c Command, o Options) (syscall.WaitStatus, error) {
	// Only the thread that traces may make calls of ptrace.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t, err := newTracer(o)
	if err != nil {
		return 0, err
	}
	if err := t.launch(c); err != nil {
		return 0, err
	}
	return t.follow(ctx)
}

// Attach follows a program that runs already, until it ends or the context does.
// After the context the program goes on alone. Attach returns whether the program
// ended, and how.
func Attach(ctx context.Context, pid int, o Options) (status syscall.WaitStatus, ended bool, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t, err := newTracer(o)
	if err != nil {
		return 0, false, err
	}
	if err := t.attach(pid); err != nil {
		return 0, false, err
	}
	status, err = t.follow(ctx)
	return status, t.ended, err
}

// tracer is the thread that traces, and what it knows of the threads it traces.
type tracer struct {
	Options
	kernel *sys.Kernel
	audit  uint32
	shown  *trace.Calls
	// calls has every traced thread, with the call that it is in; nil for a call that
	// does not matter.
	calls   map[int]*Attempt
	main    int
	mine    bool // the program was started here, and must die with this process
	ended   bool
	leaving bool // every thread is let go as soon as it stops
	status  syscall.WaitStatus
	timeout <-chan time.Time // ends leaving
}

func newTracer(o Options) (*tracer, error) {
	kernel, err := sys.Running()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	rec, err := arch.Lookup(runtime.GOARCH)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	audit := auditArch(rec)
	return &tracer{Options: o, kernel: kernel, audit: audit, shown: trace.NewCalls(kernel.Table, audit), calls: map[int]*Attempt{}}, nil
}

// auditArch returns AUDIT_ARCH_* (include/uapi/linux/audit.h) of an architecture.
func auditArch(r arch.Record) uint32 {
	const wide, little = 0x80000000, 0x40000000
	audit := uint32(r.ELF) | wide
	if !r.Big {
		audit |= little
	}
	return audit
}
