// Package tracing observes what tracers and injectors of defects rely on: seccomp
// filters and their listeners, ptrace at system calls, and tracepoints.
package tracing

import (
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/probe"
)

// Main runs the probe.
func Main() {
	probe.Run(func(p *probe.P) {
		p.Observe("threads").Child(probe.Child{Name: "threads"}).Emit()
		p.Observe("listener").Child(probe.Child{
			Name: "listener",
			// A call that a signal interrupts asks the listener a second time.
			Env: []string{"GODEBUG=asyncpreemptoff=1"},
			// The session of PID 1 is 0, which would show nothing.
			Attr: func(a *syscall.SysProcAttr) { a.Setsid, a.Setpgid = true, false },
		}).Emit()
		p.Observe("traced").Child(probe.Child{
			Name: "tracer",
			// A traced thread stops at each signal too. On a slow machine the
			// preemption signals of the Go runtime come faster than the tracer
			// continues the thread.
			Env: []string{"GODEBUG=asyncpreemptoff=1"},
		}).Emit()
		p.Observe("skipped").Child(probe.Child{
			Name: "skipper",
			Env:  []string{"GODEBUG=asyncpreemptoff=1"},
			// ppc64le 7.2 never came back.
			Limit: 30 * time.Second,
		}).Emit()
		p.Observe("tracefs").Child(probe.Child{
			Name: "tracefs",
			// The mounts go away with the namespace.
			Attr: func(a *syscall.SysProcAttr) { a.Cloneflags = syscall.CLONE_NEWNS },
		}).Emit()
	}, map[string]func(*probe.P){
		"threads": threads, "listener": listener, "tracer": tracer, "tracee": tracee,
		"skipper": skipper, "skippee": skippee, "tracefs": tracepoints,
	})
}
