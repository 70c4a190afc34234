package threadstacks

import (
	"runtime"
	"time"

	"github.com/mapstack/conformance/poc/probe"
)

// many is the number of threads that rate makes, one after the other.
const many = 2000

// rate observes how long it takes to make threads that end at once.
func rate(p *probe.P) {
	down := make(chan bool)
	began := time.Now()
	for i := 0; i < many; i++ {
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
			down <- true
		}()
		<-down
	}
	p.Observe("rate").Set("threads", many).Set("ns", time.Since(began).Nanoseconds()).Emit()
}
