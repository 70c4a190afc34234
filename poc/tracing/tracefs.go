package tracing

import (
	"os"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

// tracepoints looks for events of the scheduler. It runs in its own mount
// namespace.
func tracepoints(p *probe.P) {
	o := p.Observe("mount")
	dir, err := os.MkdirTemp("", "tracefs")
	if err != nil {
		o.Unknown("ret", err.Error()).Emit()
		return
	}
	defer os.Remove(dir)
	errno, _ := syscall.Mount("tracefs", dir, "tracefs", 0, "").(syscall.Errno)
	ok := o.Returned("mount(tracefs)", 0, errno)
	if namespace, err := os.Readlink("/proc/self/ns/user"); err == nil {
		o.Set("namespace", namespace)
	} // else the kernel has none
	o.Emit()
	if !ok {
		return
	}
	defer syscall.Unmount(dir, 0)
	o = p.Observe("events")
	for _, name := range []string{"sched_process_fork", "sched_switch", "sched_thread_load"} {
		switch _, err := os.Stat(dir + "/events/sched/" + name + "/format"); {
		case err == nil:
			o.Set(name, true)
		case os.IsNotExist(err):
			o.Set(name, false)
		default:
			o.Unknown(name, err.Error())
		}
	}
	o.Emit()
}
