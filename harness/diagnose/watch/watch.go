// Package watch follows a program by ptrace, with its threads and children, and
// tells each call that makes a thread or a process or maps memory as it ends,
// and what the program writes to its standard error.
//
// It stops every system call and not, by a seccomp filter, those alone that
// matter: where the program's own filter refuses a call, no other filter's
// answer is heard, and just that refusal would be missed.
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
)

// ErrForbidden is in what Run and Attach return when the program may not, or
// cannot, be traced from here; nothing has run then. Other means may do.
var ErrForbidden = errors.New("tracing is not possible")

// Observer is told what happens. The thread stands still while it is; other
// threads go on. All calls come from one goroutine.
type Observer interface {
	// Started is told once, when the program is there and has not run yet, or has
	// been attached to.
	Started(pid int)
	Attempt(a Attempt, t Thread)
	// Wrote is what the program is about to write to its standard error.
	Wrote(pid int, p []byte)
	// Woke is told after a wish of Wake.
	Woke()
}

// Thread is a thread that stands still.
type Thread struct{ tid int }

// Options are what a watch needs beside its program.
type Options struct {
	Observer Observer
	// Signals are passed to a program that was started. May be nil.
	Signals <-chan os.Signal
	// Wake makes the watch call Observer.Woke. May be nil.
	Wake <-chan time.Time
}

// Command is a program to start.
type Command struct {
	Path string // of the file
	Args []string
	Env  []string
	// Files are its standard input, output and error.
	Files [3]*os.File
}

// Run starts a program and follows it to its end. The program dies with this
// process, and with the context. While it runs, this process must start no
// other: the watch waits for every child. The error is ErrForbidden when the
// program could not be traced, and was ended before it did anything.
func Run(ctx context.Context, c Command, o Options) (syscall.WaitStatus, error) {
	// ptrace is between two threads.
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

// Attach follows a program that runs already, until it ends or the context does;
// it then goes on without being followed. It returns how the program ended, and
// whether it did.
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

// tracer is the one thread that traces, and what it knows of those it traces.
type tracer struct {
	Options
	kernel *sys.Kernel
	audit  uint32
	// calls are the calls that threads are in: nil when none matters.
	calls map[int]*Attempt
	main  int
	mine  bool // the program was started, and is to die with this process
	ended bool
	// leaving: every thread is let go as soon as it stands.
	leaving bool
	status  syscall.WaitStatus
	timeout <-chan time.Time // of leaving
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
	return &tracer{Options: o, kernel: kernel, audit: auditArch(rec), calls: map[int]*Attempt{}}, nil
}

// auditArch is AUDIT_ARCH_* of include/uapi/linux/audit.h.
func auditArch(r arch.Record) uint32 {
	const wide, little = 0x80000000, 0x40000000
	audit := uint32(r.ELF) | wide
	if !r.Big {
		audit |= little
	}
	return audit
}
