package stackfallback

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/stackpool"
)

const (
	// wanted is the number of threads. It is more than the Go runtime has itself.
	wanted = 40
	// stackSize is the size of a g0 stack in bytes: 16 KiB since Go 1.20 (malg in
	// allocm).
	stackSize = 16 << 10
	// exitThrow is the exit status of a Go program that the runtime ends (throw).
	exitThrow = 2
)

// threads makes locked threads. A stack is allocated before each, as the Go runtime
// does before clone. flags are added to the usual flags of mmap.
func threads(p *probe.P, flags uint64) {
	pool := stackpool.New(p.Kernel, stackpool.Options{Flags: flags, Guard: true})
	o := p.Observe("allocator")
	o.Set("flags", fmt.Sprintf("%#x", flags)).Set("stack flag", flags&p.Kernel.Map.Stack != 0).Emit()

	up, end, down := make(chan bool), make(chan bool), make(chan bool)
	var stacks []stackpool.Stack
	for len(stacks) < wanted {
		s := get(p, pool, len(stacks))
		stacks = append(stacks, s)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
			Use(s)
			up <- true
			<-end
			down <- true
		}()
	}
	for range stacks {
		<-up
	}
	o = p.Observe("threads").Set("up", len(stacks))
	if n, err := tasks(); err != nil {
		o.Unknown("tasks", err.Error())
	} else {
		o.Set("tasks", n)
	}
	o.Emit()
	p.Observe("stack").VMA("", stacks[0].Base()).VMA("guard.", stacks[0].Base()-1).Emit()
	close(end)
	for _, s := range stacks {
		<-down
		pool.Put(s, s.Size())
	}
	p.Observe("returned").Set("mapped", pool.Trim()).Emit()
}

// Stacks takes n stacks with flags beside the usual ones of mmap. It ends the process if
// the kernel refuses one.
func Stacks(p *probe.P, flags uint64, n int) (stacks []stackpool.Stack) {
	pool := stackpool.New(p.Kernel, stackpool.Options{Flags: flags, Guard: true})
	for len(stacks) < n {
		stacks = append(stacks, get(p, pool, len(stacks)))
	}
	return stacks
}

// get takes a stack for a program that has some already.
func get(p *probe.P, pool *stackpool.Pool, have int) stackpool.Stack {
	s, err := pool.Get(stackSize)
	if err != nil {
		throw(p, have, err)
	}
	return s
}

// Use writes to a stack as a thread would, at its top first.
func Use(s stackpool.Stack) {
	probe.Poke(s.Top() - 1)
	probe.Poke(s.Base())
}

// throw ends the process with the message and the status of the Go runtime's
// newosproc.
func throw(p *probe.P, have int, err error) {
	o := p.Observe("refused").Set("have", have).Set("text", err.Error())
	var e *stackpool.Error
	errno := 0
	if errors.As(err, &e) {
		errno = int(e.Errno)
		o.Returned(e.Call, 0, e.Errno)
	}
	o.Emit()
	fmt.Fprintf(os.Stderr, "runtime: failed to create new OS thread (have %d already; errno=%d)\n", have, errno)
	if errno == p.Kernel.Errno("EAGAIN") {
		fmt.Fprintln(os.Stderr, "runtime: may need to increase max user processes (ulimit -u)")
	}
	fmt.Fprintln(os.Stderr, "fatal error: newosproc")
	os.Exit(exitThrow)
}

// tasks returns the number of threads that the kernel counts in this process.
func tasks() (int, error) {
	dirs, err := os.ReadDir("/proc/self/task")
	return len(dirs), err
}
