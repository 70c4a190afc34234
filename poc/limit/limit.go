// Package limit changes and reads the limits of processes and threads: sysctls,
// control groups, and the counts in /proc. If a step cannot be prepared it panics.
// The step's observations are then missing, which is a fault of the probe and not
// of the kernel.
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

// Must panics if a step cannot be prepared.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}

// ErrnoOf returns the errno in an error of package os, 0 for nil.
func ErrnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		panic(err)
	}
	return errno
}

// WholeMachineVariable is the environment variable that is "1" if the machine's
// owner allows probes to lower its limits.
const WholeMachineVariable = "MAPSTACK_WHOLE_MACHINE"

// WholeMachine reports whether limits of the whole machine may be lowered: nobody
// else uses it. That is so in a guest of the agent, or if the machine's owner said
// so. It must be called in the process that the agent started.
func WholeMachine() bool {
	if os.Getenv(WholeMachineVariable) == "1" {
		return true
	}
	first, err := os.Readlink("/proc/1/exe")
	return err == nil && (first == "/init" || first == stage0.Agent) && os.Getppid() == 1
}

// Prewarm makes the Go runtime take more threads and memory than it will need. The
// runtime asks for more when it runs out, and a limit that refuses ends the
// process.
func Prewarm() {
	// The runtime keeps the addresses. Nobody writes to them, so that no memory is behind
	// them yet: a process that is made by clone would begin with copying its page tables.
	runtime.KeepAlive(make([]byte, 4<<20))
	runtime.GC()
	warmSizes()
	const threads = 6
	up, release, down := make(chan bool), make(chan bool), make(chan bool)
	for i := 0; i < threads; i++ {
		go func() {
			runtime.LockOSThread()
			up <- true
			<-release
			// The thread outlives the goroutine and waits for other work.
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

// warmSizes fills more than one span of each size of small objects. The runtime keeps full
// spans in lists, and the first in a list takes memory that no limit may refuse.
func warmSizes() {
	const (
		largest = 4 << 10
		span    = 24 << 10 // no span of these sizes is larger (runtime/sizeclasses.go)
	)
	for size := 8; size <= largest; size += 8 + size/8&^7 {
		for left := span; left >= 0; left -= size {
			hold(make([]byte, size), make([]*byte, size/8))
		}
	}
}

// hold keeps the compiler from leaving out what nobody reads.
//
//go:noinline
func hold([]byte, []*byte) {}

// Soft sets the soft limit of a resource as an observed step. name is the
// resource's name in C. If the limit cannot be set it panics.
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
