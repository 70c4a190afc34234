package newosproc

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// noNewPrivs is PR_SET_NO_NEW_PRIVS, without which only root may install a filter.
const noNewPrivs = 38

// little is an RLIMIT_AS below what the runtime reserves when a program starts.
const little = 64 << 20

// startups observes programs whose runtime gets no memory when they start.
func startups(p *probe.P) {
	for _, name := range []string{"EACCES", "EAGAIN"} {
		p.Observe("start " + name).Child(probe.Child{Name: "starved", Args: []string{name}}).Emit()
	}
	p.Observe("start as").Child(probe.Child{Name: "starved"}).Emit()
}

// starve makes mmap fail with the error in the arguments, or leaves little address space,
// and becomes another Go program. From then on this program's own runtime gets no memory
// either: what it needs is ready before.
func starve(p *probe.P) {
	runtime.LockOSThread()
	path, err := syscall.BytePtrFromString("/proc/self/exe")
	limit.Must(err)
	argv, err := syscall.SlicePtrFromStrings([]string{"newosproc", "-child", "single"})
	limit.Must(err)
	env, err := syscall.SlicePtrFromStrings(os.Environ())
	limit.Must(err)

	o := p.Observe("limit")
	bind := func() syscall.Errno {
		return p.Kernel.Prlimit64(p.Kernel.Rlimit.AS, &sys.Rlimit{Current: little, Max: little}, nil)
	}
	if len(p.Args) == 1 {
		if _, errno := p.Kernel.Prctl(noNewPrivs, 1, 0, 0, 0); errno != 0 {
			o.Unknown("ret", "prctl(PR_SET_NO_NEW_PRIVS): "+p.Kernel.ErrnoName(int(errno))).Emit()
			return
		}
		// A filter that answers a call which nobody makes shows whether there are any.
		ret, errno := trace.Install(p.Kernel, 0, trace.Filter(trace.Error, syscall.SYS_GETSID))
		if !o.Returned("seccomp(SET_MODE_FILTER)", ret, errno) {
			o.Emit()
			return
		}
		filter := trace.Filter(trace.Error|uint32(p.Kernel.Errno(p.Args[0])), p.Kernel.Syscall.Mmap)
		bind = func() syscall.Errno {
			_, errno := trace.Install(p.Kernel, 0, filter)
			return errno
		}
	} else {
		o.Returned("prlimit64(RLIMIT_AS)", 0, p.Kernel.Prlimit64(p.Kernel.Rlimit.AS, nil, &sys.Rlimit{}))
	}
	o.Emit()
	runtime.GC() // leaves free memory for the calls that follow
	errno := bind()
	if errno == 0 {
		_, _, errno = syscall.RawSyscall(syscall.SYS_EXECVE,
			uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
	}
	panic(errno)
}
