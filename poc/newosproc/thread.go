package newosproc

import (
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

const (
	// crowd is the number of threads where nothing limits them.
	crowd = 40
	// many is the number of threads that come and go.
	many = 30
	// exitLimit bounds the time that threads take to end.
	exitLimit = 30 * time.Second
	// allowed is the maximum of threads that the program sets for itself.
	allowed = 20
)

// single starts threads with GOMAXPROCS=1.
func single(p *probe.P) {
	start(crowd)
	p.Observe("up").Set("gomaxprocs", runtime.GOMAXPROCS(0)).Set("started", crowd).
		Set("threads", limit.MustNumber(limit.Self, "Threads")).Emit()
}

// stacks asks threads for the signal stacks that the runtime gave them.
func stacks(p *probe.P) {
	type answer struct {
		stack sys.SigStack
		err   string
	}
	answers := make(chan answer)
	for i := 0; i < few; i++ {
		go func() {
			runtime.LockOSThread()
			var a answer
			if errno := p.Kernel.Sigaltstack(nil, &a.stack); errno != 0 {
				a.err = p.Kernel.ErrnoName(int(errno))
			}
			answers <- a
			select {} // keeps its thread, and so its stack
		}()
	}
	o := p.Observe("signal")
	defer o.Emit()
	places, sizes := map[uintptr]bool{}, map[int]bool{}
	last := uintptr(0)
	for i := 0; i < few; i++ {
		a := <-answers
		if a.err != "" {
			o.Unknown("sizes", "sigaltstack: "+a.err)
			return
		}
		last = a.stack.SP
		places[last], sizes[int(a.stack.Size)] = true, true
	}
	var text []string
	for size := range sizes {
		text = append(text, strconv.Itoa(size))
	}
	sort.Strings(text)
	o.Set("threads", few).Set("stacks", len(places)).Set("sizes", strings.Join(text, " "))
	// This shows the mapping of one stack. With a guard it would begin at the stack.
	o.Set("sp", last).VMA("", last)
}

// exits ends goroutines that are locked to threads, and looks for these threads
// afterwards. How many other threads the runtime has by then depends on the CPUs.
func exits(p *probe.P) {
	up, end := make(chan int), make(chan bool)
	held := map[int]bool{}
	for i := 0; i < many; i++ {
		go func() {
			runtime.LockOSThread() // the thread ends with this goroutine
			up <- syscall.Gettid()
			<-end
		}()
		held[<-up] = true
	}
	before := limit.MustNumber(limit.Self, "Threads")
	close(end)
	left := living(held)
	for last := time.Now().Add(probe.Patience(exitLimit)); left > 0 && time.Now().Before(last); time.Sleep(10 * time.Millisecond) {
		left = living(held)
	}
	p.Observe("ended").Set("held", len(held)).Set("before", before).Set("left", left).
		Set("after", limit.MustNumber(limit.Self, "Threads")).Set("pid", os.Getpid()).Emit()
}

// living counts those of some threads that this process still has.
func living(threads map[int]bool) (n int) {
	tasks, err := os.ReadDir("/proc/self/task")
	limit.Must(err)
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil && threads[tid] {
			n++
		}
	}
	return n
}

// clone3 starts threads under a filter that answers ENOSYS to clone3, as old
// kernels and some containers do.
func clone3(p *probe.P) {
	answer := trace.Error | uint32(p.Kernel.Errno("ENOSYS"))
	ret, errno := trace.Install(p.Kernel, trace.AllThreads, trace.Filter(answer, p.Kernel.Syscall.Clone3))
	o := p.Observe("filter")
	o.Returned("seccomp(SET_MODE_FILTER, TSYNC)", ret, errno)
	o.Emit()
	start(few)
	p.Observe("up").Set("started", few).Set("threads", limit.MustNumber(limit.Self, "Threads")).Emit()
}

// maximum starts more threads than the program's own maximum allows.
func maximum(*probe.P) {
	debug.SetMaxThreads(allowed)
	start(crowd)
}
