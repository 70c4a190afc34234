package threadlimits

import (
	"os"
	"runtime"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// onThread runs f on a separate thread, which ends with f. So f may change its
// thread.
func onThread(f func()) {
	done := make(chan bool)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		f()
		close(done)
	}()
	<-done
}

// startThreads starts n threads that stay until stop is called.
func startThreads(n int) (stop func()) {
	up, release := make(chan bool), make(chan bool)
	for i := 0; i < n; i++ {
		go func() {
			runtime.LockOSThread()
			up <- true
			<-release
		}()
	}
	for i := 0; i < n; i++ {
		<-up
	}
	return func() { close(release) }
}

// who records the user and the capabilities of this process.
func who(p *probe.P) {
	o := p.Observe("who").Set("uid", os.Getuid())
	if caps, err := limit.Field(limit.Self, "CapEff"); err != nil {
		o.Unknown("capeff", err.Error())
	} else {
		o.Set("capeff", "0x"+caps)
	}
	o.Emit()
}
