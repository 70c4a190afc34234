package watch

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/diagnose/rt0"
	"github.com/mapstack/conformance/poc/sys"
)

// Program is a program to execute.
type Program struct {
	Path string // of the executable file
	Args []string
	Env  []string
}

// ErrSetUser is wrapped by the error of Launch, with ErrForbidden, for a program that
// would not get its user when it is traced.
var ErrSetUser = errors.New("the program is set-user-ID, set-group-ID or has file capabilities")

// Launch makes this process the program, and starts another process that watches it. So
// the program has the process number, the parent, the limits and the descriptors that
// it would have without a watch, and its user sees its exit status and sends it
// signals. The watcher is started as by the returned program, and must call Adopt.
//
// Where a resource limit leaves too little for the watcher, the program is not watched, and
// standard error says so.
//
// Launch returns only if it fails. The error is ErrForbidden when the program cannot be
// traced. Then it may still be started.
func Launch(p Program, watcher func(Adoption) (Program, error)) error {
	runtime.GOMAXPROCS(1) // each further one may need another thread
	kernel, abis, err := machine()
	if err != nil {
		return err
	}
	if setUser(p.Path) && !capable(unix.CAP_SYS_PTRACE) {
		return fmt.Errorf("%w: %w", ErrForbidden, ErrSetUser)
	}
	limits := raise(kernel)
	defer limits.restore()
	if lacking := limits.lacking(); lacking != "" {
		fmt.Fprint(os.Stderr, lacking, "mapstack: the program is not watched.\n")
		limits.restore()
		return execute(p)
	}
	filter, unfiltered := filterHere(kernel, abis)
	a := Adoption{PID: os.Getpid(), Filtered: unfiltered == nil}
	w, err := watcher(a)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // this thread is traced, and becomes the program
	defer runtime.UnlockOSThread()
	b, err := newBirth(kernel, a.options(), w)
	if err != nil {
		return err
	}
	// With Yama only an ancestor may trace, or who is named. There is no other way to
	// name the process before it is there.
	_, _ = kernel.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0)
	err = b.start()
	_, _ = kernel.Prctl(unix.PR_SET_PTRACER, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	limits.restore()
	if a.Filtered {
		if err := filter.install(kernel); err != nil {
			return err
		}
	}
	return execute(p)
}

// execute executes a program as execvp(3) does: a file without a format that the kernel
// knows is a script for the shell.
func execute(p Program) error {
	err := syscall.Exec(p.Path, p.Args, p.Env)
	if errors.Is(err, syscall.ENOEXEC) && len(p.Args) > 0 {
		err = syscall.Exec("/bin/sh", append([]string{"/bin/sh", p.Path}, p.Args[1:]...), p.Env)
	}
	return fmt.Errorf("start %s: %w", p.Path, err)
}

// limits are the soft limits of this process before they were raised.
type limits struct {
	kernel *sys.Kernel
	before map[uint64]sys.Rlimit
}

// raise raises the soft limits that could end a watcher to the hard ones, or, where this
// process may (CAP_SYS_RESOURCE), to none. The Go runtime raises that of descriptors, and
// undoes it when it executes a program.
func raise(k *sys.Kernel) limits {
	l := limits{k, map[uint64]sys.Rlimit{}}
	for _, resource := range []uint64{k.Rlimit.NProc, k.Rlimit.AS, k.Rlimit.Data, k.Rlimit.FSize, unix.RLIMIT_CPU} {
		var now sys.Rlimit
		if errno := k.Prlimit64(resource, nil, &now); errno != 0 || now.Current == unix.RLIM_INFINITY {
			continue
		}
		for _, most := range []uint64{unix.RLIM_INFINITY, now.Max} {
			if errno := k.Prlimit64(resource, &sys.Rlimit{Current: most, Max: most}, nil); errno == 0 {
				l.before[resource] = now
				break
			}
		}
	}
	return l
}

// lacking says which limit is too low for a watcher; "" for none.
func (l limits) lacking() string {
	for _, least := range rt0.Limits {
		var now sys.Rlimit
		if errno := l.kernel.Prlimit64(least.Resource, nil, &now); errno == 0 && now.Current < least.Enough {
			return least.Says
		}
	}
	return ""
}

// restore sets the limits as they were. A limit can always be lowered.
func (l limits) restore() {
	for resource, before := range l.before {
		_ = l.kernel.Prlimit64(resource, &before, nil)
	}
}
