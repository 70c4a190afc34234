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
	// A goroutine that is kept on its thread, as that of a watcher is, changes threads with
	// the collector, and where the processor is busy the runtime makes one more each time.
	reserved := make(chan struct{})
	go func() {
		reserve()
		close(reserved)
	}()
	<-reserved
}

// reserve makes the runtime get memory from the kernel now, and keep it: later there may be
// none (vm.overcommit_memory 2). The collector needs memory for itself, too.
func reserve() {
	const cycles, count, size = 3, 16 << 10, 512 // 8 MiB in all
	for range 2 {
		fillSizes()
	}
	for range cycles {
		pieces := make([][]byte, count)
		for i := range pieces {
			pieces[i] = make([]byte, size)
		}
		runtime.GC()
		runtime.KeepAlive(pieces)
	}
	runtime.GC()
}

// fillSizes fills spans of each size of objects, frees every second object, and collects. The
// runtime keeps full spans and spans with room in lists, for each size two of both, which
// change places with each collection (runtime/mcentral.go). The first in a list takes memory
// that is not of the heap, and for which the runtime asks the kernel. So two calls fill all.
func fillSizes() {
	const largest = 32 << 10
	var kept []any
	for size := 8; size <= largest; size += 8 + size/8&^7 {
		span := 24 << 10 // no span of such a size is larger (runtime/sizeclasses.go)
		if size > 4<<10 {
			span = 80 << 10
		}
		for left := span; left >= 0; left -= 2 * size {
			drop(make([]byte, size), make([]*byte, size/8))
			kept = append(kept, make([]byte, size), make([]*byte, size/8))
		}
	}
	runtime.GC()
	runtime.KeepAlive(kept)
}

// drop keeps the compiler from leaving out what nobody reads.
//
//go:noinline
func drop([]byte, []*byte) {}
