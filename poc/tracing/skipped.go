package tracing

import (
	"os"
	"runtime"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/trace"
)

// Options of prctl that no kernel has, for calls that are never made. The tracer chooses
// what the program gets instead.
const (
	skipValue = 0x6d730011
	skipError = 0x6d730012
)

// instead is the value that the program gets.
const instead = 0x1234

// none is the number that tells the kernel to make no call.
const none = ^uint64(0)

// skippee makes the calls. Only the first thread of the process is traced.
func skippee(p *probe.P) {
	if syscall.Gettid() != os.Getpid() {
		p.Observe("value").Unknown("ret", "the probe is not its process's first thread").Emit()
		return
	}
	for _, call := range []struct {
		name   string
		option uintptr
	}{
		{"value", skipValue}, {"error", skipError},
	} {
		ret, _, errno := syscall.RawSyscall(uintptr(p.Kernel.Syscall.Prctl), call.option, 0, 0)
		o := p.Observe(call.name)
		o.Returned("prctl", ret, errno)
		o.Emit()
	}
}

// skipper runs skippee, which shares its standard output.
func skipper(p *probe.P) {
	runtime.LockOSThread()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"tracing", "-child", "skippee"}, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if err == nil {
		err = begin(pid)
	}
	p.Observe("start").Set("error", err).Emit()
	if err != nil {
		return
	}
	follow(p, pid, skip) // with the option of the call that is skipped
}

// skip handles a stop. It returns the option of the call that is skipped, 0 for any other.
func skip(p *probe.P, pid int, skipping uint64) uint64 {
	info, errno := trace.SyscallInfo(pid)
	if errno != 0 {
		return 0
	}
	if info.Operation == trace.Entry {
		option := info.Words[1]
		if info.Number() != p.Kernel.Syscall.Prctl || option != skipValue && option != skipError {
			return 0
		}
		info.Words[0] = none
		change(p, map[uint64]string{skipValue: "no call for value", skipError: "no call for error"}[option], pid, info)
		return option
	}
	switch skipping {
	case skipValue:
		info.SetResult(instead, false)
		change(p, "set value", pid, info)
	case skipError:
		info.SetResult(uint64(-int64(p.Kernel.Errno(answer))), true)
		change(p, "set error", pid, info)
	}
	return 0
}

// change sets a call of a stopped thread. It also records whether the tracer's own next
// call works: ppc64le 7.2 loses that one.
func change(p *probe.P, step string, pid int, info *trace.Info) {
	o, self := p.Observe(step), syscall.Gettid()
	errno := trace.SetSyscallInfo(pid, info)
	next := syscall.Gettid()
	o.Returned("PTRACE_SET_SYSCALL_INFO", 0, errno)
	o.Set("next", next == self).Emit()
}
