package diagnose

import (
	"runtime"
	"sync"
)

// ownThreads is more than a diagnosis ever needs at once. Two run Go; others trace,
// wait for the program, wait for signals, and start threads.
const ownThreads = 10

// warm makes the threads that this process will need. Later the program may have
// used up a limit that counts both, and this process would die for want of a thread
// itself. The runtime keeps idle threads.
func warm() {
	runtime.GOMAXPROCS(2) // each further one may need another thread
	var up, down sync.WaitGroup
	up.Add(ownThreads)
	down.Add(1)
	for range ownThreads {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			up.Done()
			down.Wait()
		}()
	}
	up.Wait()
	down.Done()
}
