package newosproc

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/trace"
)

// running is a program, and what is kept of it while it runs.
type running struct {
	p       *probe.P
	program trace.Program
	limit   time.Duration // how long it may run if nothing happens
	pid     int

	calls      *trace.Calls
	unfiltered error // why it stops at every call

	stdout, stderr *flow
	hung           bool
	how            string // how that was decided
	stirred        int64  // number of times that something happened
}

// alone runs the program without a tracer, to its end or until it hangs.
func (r *running) alone() words {
	return r.run(func() error {
		attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if r.program.UID != 0 {
			attributes.Credential = &syscall.Credential{Uid: r.program.UID, Gid: uint32(syscall.Getgid())}
		}
		var err error
		r.pid, err = syscall.ForkExec(r.program.Path, r.program.Args,
			&syscall.ProcAttr{Env: r.program.Env, Files: r.program.Files[:], Sys: attributes})
		return err
	}, func() (syscall.WaitStatus, error) { return wait(r.pid) })
}

// followed runs the program under a tracer, to its end or until it hangs.
func (r *running) followed(stop func(trace.Halt) (trace.Way, error)) words {
	r.calls = trace.NewCalls(r.p.Kernel.Table, 0)
	return r.run(func() (err error) {
		r.pid, r.unfiltered, err = r.program.Start(r.p.Kernel)
		return err
	}, func() (syscall.WaitStatus, error) {
		const options = trace.OptionGoodSyscall | trace.OptionClone | trace.OptionSeccomp | trace.OptionExitKill
		return trace.Follow(r.pid, options, func(h trace.Halt) (trace.Way, error) {
			if h.Kind == trace.Ended {
				r.calls.Gone(h.Thread)
			}
			return stop(h)
		})
	})
}

func (r *running) run(start func() error, end func() (syscall.WaitStatus, error)) (said words) {
	r.stdout, r.stderr = newFlow(maxSteps), newFlow(maxText)
	defer r.stdout.close()
	defer r.stderr.close()
	r.program.Files = [3]uintptr{0, uintptr(r.stdout.w), uintptr(r.stderr.w)}
	said.err = start()
	r.stdout.started()
	r.stderr.started()
	if said.err != nil {
		said.err = fmt.Errorf("start the program: %w", said.err)
		return said
	}
	over, done := make(chan bool), make(chan bool)
	go func() {
		r.keep(over)
		close(done)
	}()
	said.status, said.err = end()
	if said.err != nil {
		_ = syscall.Kill(r.pid, syscall.SIGKILL)
		reap(r.pid)
	}
	close(over)
	<-done
	r.stdout.drain()
	r.stderr.drain()
	said.hung, said.how = r.hung, r.how
	said.steps, said.text = r.stdout.kept, r.stderr.kept
	return said
}

// way returns how the program's threads go on.
func (r *running) way() trace.Way {
	if r.unfiltered == nil {
		return trace.Run
	}
	return trace.RunToCall
}

// by returns how the program's calls were seen, for people.
func (r *running) by() string {
	if r.unfiltered == nil {
		return r.calls.By() + ", where a filter stops calls"
	}
	return r.calls.By() + ", at every call: " + r.unfiltered.Error()
}

// stirs notes that something happened in the program.
func (r *running) stirs() { atomic.AddInt64(&r.stirred, 1) }

// keep reads what the program writes, and kills the program when it hangs. It looks at
// times, because a reader that waits would be woken for every word of a traceback, and
// the runtime writes a thousand of them.
func (r *running) keep(over chan bool) {
	const pause = 50 * time.Millisecond
	began := time.Now()
	last, happened := began, int64(0)
	sleeper := &sleeper{pid: r.pid, futex: r.p.Kernel.Syscall.Futex, sleep: syscall.SYS_NANOSLEEP}
	limit := r.limit
	ticks := time.NewTicker(pause)
	defer ticks.Stop()
	for {
		select {
		case <-over:
			return
		case <-ticks.C:
		}
		r.stdout.drain()
		if r.stderr.drain() {
			r.stirs()
		}
		now := time.Now()
		if n := atomic.LoadInt64(&r.stirred); n != happened {
			happened, last, limit = n, now, probe.Patience(quiet)
			sleeper.forget()
			continue
		}
		switch {
		case sleeper.hangs(now.Sub(last)):
			r.how = "by its threads"
		case now.Sub(last) > limit:
			r.how = "by time"
		default:
			continue
		}
		r.hung = true
		_ = syscall.Kill(r.pid, syscall.SIGKILL)
		<-over
		return
	}
}

func wait(pid int) (status syscall.WaitStatus, err error) {
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			return status, err
		}
	}
}

// reap waits for a traced process that was killed, and its threads.
func reap(pid int) {
	const all = 0x40000000 // __WALL
	for {
		var status syscall.WaitStatus
		tid, err := syscall.Wait4(-1, &status, all, nil)
		if err != nil && err != syscall.EINTR || tid == pid && !status.Stopped() {
			return
		}
	}
}

// flow is a pipe from a program, and the first bytes that came through.
type flow struct {
	r, w         int
	kept, buffer []byte
	most         int
}

func newFlow(most int) *flow {
	var fds [2]int
	limit.Must(syscall.Pipe2(fds[:], syscall.O_CLOEXEC))
	limit.Must(syscall.SetNonblock(fds[0], true))
	// Allocated now, because there may be no memory later.
	return &flow{r: fds[0], w: fds[1], kept: make([]byte, 0, most), buffer: make([]byte, 8192), most: most}
}

// started closes the end that the program writes to.
func (f *flow) started() {
	syscall.Close(f.w)
	f.w = -1
}

// drain reads what there is, and reports whether there was something.
func (f *flow) drain() (some bool) {
	for {
		n, err := syscall.Read(f.r, f.buffer)
		if err == syscall.EINTR {
			continue
		}
		if n <= 0 {
			return some
		}
		some = true
		if left := f.most - len(f.kept); n > left {
			n = left
		}
		f.kept = append(f.kept, f.buffer[:n]...)
	}
}

func (f *flow) close() {
	syscall.Close(f.r)
	if f.w >= 0 {
		syscall.Close(f.w)
	}
}
