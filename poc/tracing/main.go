// Command tracing observes what tracers and injectors of defects rely on:
// seccomp filters and their listeners, ptrace at system calls, tracepoints.
package main

import (
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

func main() {
	probe.Run(func(p *probe.P) {
		p.Observe("threads").Child(probe.Child{Name: "threads"}).Emit()
		p.Observe("listener").Child(probe.Child{
			Name: "listener",
			// A call that a signal interrupts asks the listener a second time.
			Env: []string{"GODEBUG=asyncpreemptoff=1"},
			// The session of PID 1 is 0, which would say nothing.
			Attr: func(a *syscall.SysProcAttr) { a.Setsid, a.Setpgid = true, false },
		}).Emit()
		p.Observe("traced").Child(probe.Child{
			Name: "tracer",
			// What is traced stops at each signal too: on a slow machine those by
			// which the Go runtime interrupts itself come faster than the tracer
			// lets it go on.
			Env: []string{"GODEBUG=asyncpreemptoff=1"},
		}).Emit()
		p.Observe("tracefs").Child(probe.Child{
			Name: "tracefs",
			// What it mounts goes with it.
			Attr: func(a *syscall.SysProcAttr) { a.Cloneflags = syscall.CLONE_NEWNS },
		}).Emit()
	}, map[string]func(*probe.P){
		"threads": threads, "listener": listener, "tracer": tracer, "tracee": tracee, "tracefs": tracepoints,
	})
}
