package tracing

import (
	"os"
	"strconv"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/trace"
)

// Options of prctl that no kernel has. There is one for each thing that the tracer
// does to a call, and the tracer recognizes the calls by them.
const (
	watched  = 0x6d730001
	changed  = 0x6d730002
	reserved = 0x6d730003
	// unknown stands for a call that the kernel does not describe.
	unknown = 0x6d730004
)

// getDumpable is PR_GET_DUMPABLE, which replaces the option of the changed call. It
// ignores the other arguments and returns 1 in a program that root started.
const getDumpable = 3

// arguments returns the arguments of the calls after the option.
func arguments() [5]uintptr { return [5]uintptr{0x1111, 0x2222, 0x3333, 0x4444, 0x5555} }

// tracee makes the calls. Only the first thread of the process is traced.
func tracee(p *probe.P) {
	if syscall.Gettid() != os.Getpid() {
		p.Observe("watched").Unknown("ret", "the probe is not its process's first thread").Emit()
		return
	}
	a := arguments()
	for _, call := range []struct {
		name   string
		option uintptr
	}{
		{"watched", watched}, {"changed", changed}, {"reserved", reserved},
	} {
		ret, _, errno := syscall.RawSyscall6(uintptr(p.Kernel.Syscall.Prctl), call.option, a[0], a[1], a[2], a[3], a[4])
		o := p.Observe(call.name)
		o.Returned("prctl", ret, errno)
		o.Emit()
	}
}

// tracer runs tracee, which shares its standard output.
func tracer(p *probe.P) {
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"tracing", "-child", "tracee"}, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	o := p.Observe("start")
	if err == nil {
		err = begin(pid)
	}
	o.Set("error", err).Emit()
	if err != nil {
		return
	}
	follow(p, pid, atCall) // with the option of the call in progress
}

// follow runs a traced process to its end. at looks at each stop at a call; it gets what it
// returned at the stop before, and 0 at the first.
func follow(p *probe.P, pid int, at func(p *probe.P, pid int, before uint64) uint64) {
	last := uint64(0)
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || !status.Stopped() {
			p.Observe("end").Set("status", strconv.Itoa(int(status))).Set("error", err).Emit()
			return
		}
		signal := int(status.StopSignal())
		switch {
		case signal == int(syscall.SIGTRAP)|trace.AtSyscall:
			last = at(p, pid, last)
			signal = 0
		case signal == int(syscall.SIGTRAP):
			signal = 0
		}
		if _, errno := trace.Ptrace(syscall.PTRACE_SYSCALL, uintptr(pid), 0, uintptr(signal)); errno != 0 {
			p.Observe("end").Unknown("status", "PTRACE_SYSCALL: "+p.Kernel.ErrnoName(int(errno))).Emit()
			return
		}
	}
}

// begin runs a process from its first instruction to its first call.
func begin(pid int) error {
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		return err
	}
	if err := syscall.PtraceSetOptions(pid, trace.OptionGoodSyscall|trace.OptionExitKill); err != nil {
		return err
	}
	if _, errno := trace.Ptrace(syscall.PTRACE_SYSCALL, uintptr(pid), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// atCall handles a stop. It returns the option of the call in progress, 0 for any
// other call.
func atCall(p *probe.P, pid int, entered uint64) uint64 {
	info, errno := trace.SyscallInfo(pid)
	if errno != 0 {
		if entered != unknown { // without the information the calls cannot be recognized either
			o := p.Observe("entry")
			o.Returned("PTRACE_GET_SYSCALL_INFO", 0, errno)
			o.Emit()
		}
		return unknown
	}
	if info.Operation != trace.Entry {
		if entered == watched {
			o := p.Observe("exit").Set("operation", info.Operation)
			value, errno := info.Result()
			o.Returned("prctl", uintptr(value), syscall.Errno(errno))
			o.Emit()
		}
		return 0
	}
	option := info.Words[1]
	switch option {
	case watched:
		o := p.Observe("entry")
		o.Returned("PTRACE_GET_SYSCALL_INFO", 0, 0)
		o.Set("number", info.Number())
		for i, arg := range info.Arguments() {
			o.Set("argument "+strconv.Itoa(i), uintptr(arg))
		}
		o.Emit()
	case changed:
		set(p, "set", pid, info)
	case reserved:
		info.Flags = 1
		set(p, "set reserved", pid, info)
	default:
		return 0
	}
	return option
}

// set changes the call at which the thread is stopped into another one.
func set(p *probe.P, step string, pid int, info *trace.Info) {
	info.Words[1] = getDumpable
	o := p.Observe(step)
	o.Returned("PTRACE_SET_SYSCALL_INFO", 0, trace.SetSyscallInfo(pid, info))
	o.Emit()
}
