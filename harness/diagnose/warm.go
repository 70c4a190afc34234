package diagnose

import (
	"runtime"
	"sync"
)

// ownThreads is more than a diagnosis ever needs at once: two that run Go, and
// those that trace, wait for the program, wait for signals, and start others.
const ownThreads = 10

// warm makes the threads that this process will need, before a program uses up a
// limit that holds for both: the one that diagnoses would otherwise die of what
// it is to tell. The runtime keeps threads that have nothing to do.
func warm() {
	runtime.GOMAXPROCS(2) // each more may need another thread
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
