package main

import (
	"os"
	"runtime"
	"syscall"

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
// and becomes another Go program.
func starve(p *probe.P) {
	runtime.LockOSThread()
	o := p.Observe("limit")
	var ok bool
	if len(p.Args) == 1 {
		if _, errno := p.Kernel.Prctl(noNewPrivs, 1, 0, 0, 0); errno != 0 {
			o.Unknown("ret", "prctl(PR_SET_NO_NEW_PRIVS): "+p.Kernel.ErrnoName(int(errno))).Emit()
			return
		}
		answer := trace.Error | uint32(p.Kernel.Errno(p.Args[0]))
		ret, errno := trace.Install(p.Kernel, 0, trace.Filter(answer, p.Kernel.Syscall.Mmap))
		ok = o.Returned("seccomp(SET_MODE_FILTER)", ret, errno)
	} else {
		limit := sys.Rlimit{Current: little, Max: little}
		ok = o.Returned("prlimit64(RLIMIT_AS, 64 MiB)", 0, p.Kernel.Prlimit64(p.Kernel.Rlimit.AS, &limit, nil))
	}
	o.Emit()
	if !ok {
		return
	}
	err := syscall.Exec("/proc/self/exe", []string{"newosproc", "-child", "single"}, os.Environ())
	p.Observe("exec").Set("error", err).Emit()
}
