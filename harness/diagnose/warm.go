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
}
