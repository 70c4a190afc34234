// Package limit changes and reads what processes and threads are limited by:
// sysctls, control groups, and the counts that /proc shows. Where a step cannot
// be prepared it ends the process with a panic: what was to be observed is then
// missing, which is nobody's fault but the probe's.
package limit

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/sys"
)

// Must ends the process where a step cannot be prepared.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}

// ErrnoOf is the errno in an error of package os, 0 for none.
func ErrnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		panic(err)
	}
	return errno
}

// WholeMachineVariable says in a probe's environment, as "1", that the machine's
// owner allows its limits to be lowered.
const WholeMachineVariable = "MAPSTACK_WHOLE_MACHINE"

// WholeMachine reports whether this is a guest of the agent, or a machine whose
// owner said so: limits of the machine are lowered only where nobody else uses it.
// It must be asked in the process that the agent started.
func WholeMachine() bool {
	if os.Getenv(WholeMachineVariable) == "1" {
		return true
	}
	first, err := os.Readlink("/proc/1/exe")
	return err == nil && (first == "/init" || first == stage0.Agent) && os.Getppid() == 1
}

// Prewarm makes the Go runtime take more threads and memory than it will need:
// it asks for them when it runs out, and a limit that refuses ends the process.
func Prewarm() {
	ballast := make([]byte, 4<<20)
	for i := range ballast {
		ballast[i] = 1
	}
	runtime.KeepAlive(ballast)
	ballast = nil
	runtime.GC()
	const threads = 6
	up, release, down := make(chan bool), make(chan bool), make(chan bool)
	for i := 0; i < threads; i++ {
		go func() {
			runtime.LockOSThread()
			up <- true
			<-release
			// The thread outlives the goroutine and waits for work.
			runtime.UnlockOSThread()
			down <- true
		}()
	}
	for i := 0; i < threads; i++ {
		<-up
	}
	close(release)
	for i := 0; i < threads; i++ {
		<-down
	}
}

// Soft sets the soft limit of a resource in an observed step; name is the
// resource's in C.
func Soft(p *probe.P, step, name string, resource, value uint64) {
	var was sys.Rlimit
	if errno := p.Kernel.Prlimit64(resource, nil, &was); errno != 0 {
		panic(errno)
	}
	o := p.Observe(step)
	errno := p.Kernel.Prlimit64(resource, &sys.Rlimit{Current: value, Max: was.Max}, nil)
	o.Returned(fmt.Sprintf("prlimit64(%s=%d, %d)", name, resource, value), 0, errno)
	o.Emit()
	if errno != 0 {
		panic(errno)
	}
}
