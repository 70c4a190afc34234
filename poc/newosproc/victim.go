package newosproc

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// exitCaught is the exit status of a program that could recover from an error that
// is fatal by design.
const exitCaught = 7

// again is the prefix of the steps of a program that runs after its cause is gone, and
// the argument that tells it so.
const again = "again."

// victim is a Go program that starts threads. Its arguments are a cause, whether it runs
// again, its control group, and the group that has the limit.
func victim(p *probe.P) {
	c := lookup(p)
	inner, limited := limit.Group(p.Args[2]), limit.Group(p.Args[3])
	if inner != "" {
		inner.MustEnter()
	}
	threads := c.threads
	p.Observe("before").Set("threads", limit.MustNumber(limit.Self, "Threads")).Set("uid", os.Getuid()).Emit()
	if p.Args[1] == again {
		threads = most
	} else {
		c.bind(p, limited)
	}
	start(threads)
	p.Observe("up").Set("started", threads).Set("threads", limit.MustNumber(limit.Self, "Threads")).Emit()
}

// start starts threads that stay until release is called. If the runtime fails to
// get one, it tries to recover.
func start(n int) (release func()) {
	debug.SetPanicOnFault(true)
	defer caught()
	up, end := make(chan bool), make(chan bool)
	for i := 0; i < n; i++ {
		go func() {
			defer caught()
			runtime.LockOSThread() // a thread ends with the goroutine that is locked to it
			up <- true
			<-end
		}()
		<-up
	}
	return func() { close(end) }
}

func caught() {
	if r := recover(); r != nil {
		fmt.Fprintln(os.Stderr, "recovered:", r)
		os.Exit(exitCaught)
	}
}
