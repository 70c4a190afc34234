// Package watch follows a program, its threads and its children by ptrace. It reports the
// calls that a limit can refuse, how threads and processes end, and what they write to
// standard error. What is not watched it reports too.
//
// A program that is started gets a seccomp filter, if it may have one, that stops it only
// at the calls that matter: see filterHere. Any other program stops at every call, which is
// slow. So does a thread that installs a filter of its own, because of two filters the
// stricter one wins, and a refusal by the program's own would be missed.
//
// Nobody can take a filter away again, and without a tracer each call that it stops fails
// with ENOSYS. So the watcher stays until the last process with the filter has ended. It
// is a process of its own for that: see Launch.
package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// ErrForbidden is wrapped by the errors of Launch and Attach when the program may not,
// or cannot, be traced from here. The program has not run then; Listen may work.
var ErrForbidden = errors.New("tracing is not possible")

// Options are what a watch needs besides its program.
type Options struct {
	Observer Observer
	// Ended is called when the program has ended, before the process that waits for it
	// learns of that. May be nil. Processes that it left behind may live on.
	Ended func(status syscall.WaitStatus)
	// Signals are passed to a program that Listen started. May be nil.
	Signals <-chan os.Signal
	// Wake makes the watch call Observer.Woke. May be nil.
	Wake <-chan time.Time
}

// tracer is the thread that traces, and what it knows of the threads it traces.
type tracer struct {
	Options
	kernel *sys.Kernel
	abis   []abiCalls
	shown  *trace.Calls
	// filtered reports that the program has our filter.
	filtered bool
	filter   []trace.Instruction
	threads  map[int]*thread
	// early are threads that ended before their maker's stop for them was seen.
	early map[int]bool
	told  map[Gap]bool
	clock uint64 // counts calls that began
	// fatal is when the call began at which a filter ended a process or its thread.
	fatal  map[int]uint64
	main   int
	ended  bool
	status syscall.WaitStatus
	// turn is held while a stop is handled, and while the observer is called otherwise.
	turn   sync.Mutex
	silent bool // the observer must not be called any more
}

// thread is what is known of a traced thread.
type thread struct {
	tid int
	pid int // 0 if not known yet
	// every reports that the thread stops at every call.
	every bool
	// entered is the latest call that began, until it ends.
	entered *trace.Info
	began   uint64   // when that was, by tracer.clock
	call    *Attempt // that call, if it matters
	// held is a call that seems to have succeeded, with the result that a trapped call
	// shows. If SIGSYS follows, a filter has refused it.
	held    *Attempt
	result  uint64   // of that call
	trapped *Attempt // a call whose handler of SIGSYS runs
	signal  syscall.Signal
	sender  int // of that signal, which is the latest one
	made    madeTask
	exiting bool
	// introduced reports that its maker's stop for it was seen, or that it was there
	// before.
	introduced bool
}

// machine returns the kernel and the ABIs of this machine.
func machine() (*sys.Kernel, []abiCalls, error) {
	kernel, err := sys.Running()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	rec, err := arch.Lookup(runtime.GOARCH)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	abis := abisOf(rec)
	if abis == nil {
		return nil, nil, fmt.Errorf("%w: the calls of %s are not listed", ErrForbidden, runtime.GOARCH)
	}
	return kernel, abis, nil
}

func newTracer(o Options) (*tracer, error) {
	kernel, abis, err := machine()
	if err != nil {
		return nil, err
	}
	return &tracer{
		Options: o, kernel: kernel, abis: abis, shown: trace.NewCalls(kernel.Table, abis[0].audit),
		threads: map[int]*thread{}, early: map[int]bool{}, told: map[Gap]bool{}, fatal: map[int]uint64{},
	}, nil
}

// Adoption is what Launch tells the watcher of the program.
type Adoption struct {
	PID int
	// Filtered reports that the program has a filter and stops at the calls that
	// matter.
	Filtered bool
}

// plainOptions make the kernel trace new threads and children from their first
// instruction, stop threads at their end, and mark stops at calls so that they differ
// from signals.
const plainOptions = trace.OptionGoodSyscall | trace.OptionFork | trace.OptionVfork | trace.OptionClone | trace.OptionExec | unix.PTRACE_O_TRACEEXIT

// options returns the options of ptrace. Without its tracer a program with a filter would
// go on with calls that fail, so it ends with the tracer.
func (a Adoption) options() int {
	if a.Filtered {
		return plainOptions | trace.OptionSeccomp | trace.OptionExitKill
	}
	return plainOptions
}

// Adopt watches the program that Launch made, in the process that Launch started for it.
// It must be called on the main thread, which is the tracer: an init function must have
// called runtime.LockOSThread. It returns when everything that it traces has ended.
// Without the filter it returns as soon as the program has ended: when this process ends,
// the kernel lets the processes go that the program left behind.
func Adopt(a Adoption, o Options) error {
	if unix.Gettid() != os.Getpid() {
		return errors.New("only the main thread can adopt a program")
	}
	t, err := newTracer(o)
	if err != nil {
		return err
	}
	if t.filtered = a.Filtered; t.filtered {
		t.filter = filterFor(t.abis)
	}
	t.main = a.PID
	standAside()
	// What the program leaves behind must not die because somebody ends this process, or
	// does not read its report.
	quietly()
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGUSR2)
	th := t.meet(a.PID)
	th.pid, th.every, th.introduced = a.PID, !a.Filtered, true
	t.turn.Lock()
	t.observe(func(o Observer) { o.Started(a.PID) })
	t.shown.Within(a.PID)
	_ = t.resume(th, 0) // it fails if the program was killed
	t.turn.Unlock()
	t.follow()
	return nil
}

// quietly lets stops raise no SIGCHLD. Its handler would cost as much as the stop, and the
// tracer waits anyway. This process must have no children of its own.
func quietly() { signal.Ignore(syscall.SIGCHLD) }

// Attach follows a program that runs already, until it ends or the context does.
// After that it goes on alone as soon as this process ends: the kernel lets it go.
// Attach returns whether the program ended, and how. This process must start no program
// afterwards.
func Attach(ctx context.Context, pid int, o Options) (status syscall.WaitStatus, ended bool, err error) {
	t, err := newTracer(o)
	if err != nil {
		return 0, false, err
	}
	begun, over := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked
		defer close(over)
		err := t.attach(pid)
		begun <- err
		if err == nil {
			t.follow()
		}
	}()
	if err := <-begun; err != nil {
		return 0, false, err
	}
	quietly()
	select {
	case <-over:
	case <-ctx.Done():
	}
	t.turn.Lock()
	defer t.turn.Unlock()
	t.silent = true
	return t.status, t.ended, nil
}
