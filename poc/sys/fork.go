package sys

import (
	"runtime"
	"syscall"

	"github.com/mapstack/conformance/poc/abi"
)

// processors is how many processors the runtime has at least when Fork copies it: one for
// the caller, one for a garbage collection, and some that are free.
const processors = 6

// Fork makes a process that goes on from here as a copy of this one, and returns 0 in
// it. flags are CLONE_* flags of new namespaces.
//
// The copy has the calling thread alone. The Go runtime works there as long as it needs
// no other thread: without goroutines that wait, timers and garbage collection.
//
// The runtime's other threads may have been in the middle of something when they were
// left behind. The copy then hangs when it returns from here. So it must report that it
// is alive, and the caller must make another one if it does not.
//
// The runtime also takes the processor (P) of a thread that is long in a call, for others.
// The copy then needs a free one, and hangs if there is none: nobody is left to give one
// back. So the runtime gets more processors than it has use for.
//
// The caller must hold runtime.LockOSThread.
func (k *Kernel) Fork(flags uint64) (int, syscall.Errno) {
	if runtime.GOMAXPROCS(0) < processors {
		runtime.GOMAXPROCS(processors)
	}
	var in [5]uintptr
	for i, arg := range k.CloneOrder {
		if arg == abi.CloneFlags {
			in[i] = uintptr(flags | k.Signal.Chld)
		}
	}
	// This is no raw call, because the runtime does not preempt a thread in a call that
	// it knows of. The copy of a preempted thread would wait for ever.
	r, _, errno := syscall.Syscall6(uintptr(k.Syscall.Clone), in[0], in[1], in[2], in[3], in[4], 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}
