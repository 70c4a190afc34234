package tracing

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/trace"
)

const (
	// filtered is the call that filters answer. Neither the Go runtime nor the probe
	// needs it.
	filtered = syscall.SYS_GETSID
	// answer is not an error of that call. Its number differs between the families
	// of architectures.
	answer = "EOVERFLOW"
	// noNewPrivs is PR_SET_NO_NEW_PRIVS.
	noNewPrivs = 38
	// older is the number of threads before the filter, besides those of the Go
	// runtime.
	older = 4
)

// threads filters a call in all threads of a process.
func threads(p *probe.P) {
	try := func() syscall.Errno {
		_, _, errno := syscall.RawSyscall(filtered, 0, 0, 0)
		return errno
	}
	o := p.Observe("before")
	o.Returned("getsid(0)", 0, try())
	o.Emit()

	up, installed, answers := make(chan bool), make(chan bool), make(chan syscall.Errno)
	thread := func() {
		runtime.LockOSThread()
		up <- true
		<-installed
		answers <- try()
		select {} // keeps the thread until the process ends
	}
	for i := 0; i < older; i++ {
		go thread()
		<-up
	}
	o = p.Observe("filter")
	_, errno := p.Kernel.Prctl(noNewPrivs, 1, 0, 0, 0)
	if errno != 0 {
		o.Unknown("ret", "prctl(PR_SET_NO_NEW_PRIVS): "+p.Kernel.ErrnoName(int(errno))).Emit()
		return
	}
	ret, errno := trace.Install(p.Kernel, trace.AllThreads, trace.Filter(trace.Error|uint32(p.Kernel.Errno(answer)), filtered))
	ok := o.Returned("seccomp(SET_MODE_FILTER, TSYNC)", ret, errno)
	o.Emit()
	if !ok {
		return
	}
	close(installed)
	for i := 0; i < older; i++ {
		o := p.Observe("older " + strconv.Itoa(i))
		o.Returned("getsid(0)", 0, <-answers)
		o.Emit()
	}
	go thread()
	<-up
	o = p.Observe("newer")
	o.Returned("getsid(0)", 0, <-answers)
	o.Emit()
	tasks(p)
}

// tasks counts the threads of this process. It also counts those with a filter and
// no_new_privs.
func tasks(p *probe.P) {
	o := p.Observe("tasks")
	defer o.Emit()
	dirs, err := os.ReadDir("/proc/self/task")
	if err != nil {
		o.Unknown("all", err.Error())
		return
	}
	restricted := 0
	for _, d := range dirs {
		status, err := os.ReadFile("/proc/self/task/" + d.Name() + "/status")
		if err != nil {
			o.Unknown("all", err.Error())
			return
		}
		if strings.Contains(string(status), "\nSeccomp:\t2\n") && strings.Contains(string(status), "\nNoNewPrivs:\t1\n") {
			restricted++
		}
	}
	o.Set("all", len(dirs)).Set("restricted", restricted)
}
