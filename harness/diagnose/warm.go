package diagnose

import (
	"runtime"
	"sync"
)

// warm makes threads that this process will need. Later the program may have used up a
// limit that counts both, and this process would die for want of a thread itself. The
// runtime keeps idle threads.
func warm(threads int) {
	runtime.GOMAXPROCS(1) // each further one may need another thread
	var up, down sync.WaitGroup
	up.Add(threads)
	down.Add(1)
	for range threads {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			up.Done()
			down.Wait()
		}()
	}
	up.Wait()
	down.Done()
	keep(make([]byte, spare))
}

// spare is memory for the work of a diagnosis, in bytes. The runtime gets it from the
// kernel now and keeps it: later there may be none (vm.overcommit_memory 2).
const spare = 8 << 20

// keep makes the compiler allocate what it is given.
//
//go:noinline
func keep([]byte) {}
