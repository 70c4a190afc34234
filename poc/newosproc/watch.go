package newosproc

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

const (
	// victimLimit bounds the run of a program in which nothing happens.
	victimLimit = 60 * time.Second
	// quiet bounds how long a program lives after its last refusal or its last
	// output. It then has only some lines left to write.
	quiet = 10 * time.Second
	// watchLimit is enough for two programs and their cleanup.
	watchLimit = 3 * victimLimit
	// enough is the number of refusals before a limit is lifted.
	enough = 3
)

// watched is a program under observation.
type watched struct {
	p     *probe.P
	cause cause
	pid   int
	hung  int32 // set if it was killed because nothing happened any more
	timer *time.Timer
	limit time.Duration // how long it may run if nothing happens

	tracer  *trace.Calls
	calls   map[int]*trace.Info // calls in progress, by thread
	counts  map[int]*count      // of the threads that were refused one
	first   int                 // the thread that was refused first
	made    int
	latest  int    // the thread that was made last
	flags   uint64 // flags of that clone
	unknown string // why nothing was counted
	lift    syscall.Errno
}

// count holds the refusals of one thread.
type count struct {
	refused       int
	begin, latest time.Time
	errno         int
	flags         uint64
}

// watch runs the program of a cause, undoes the cause, and runs the program again
// if the cause could have left something behind. Nothing is written before the
// cause is undone, because the reader may need a thread.
func watch(p *probe.P) {
	limit.Prewarm()
	c := lookup(p)
	inner, limited := limit.Group(""), limit.Group("")
	if c.controller != "" {
		inner, limited = limit.Group(p.Args[1]), limit.Group(p.Args[2])
	}
	var sysctl *limit.Sysctl
	if c.sysctl != "" {
		sysctl = limit.MustOpen(c.sysctl)
	}
	w := &watched{p: p, cause: c, limit: victimLimit}
	said := w.run("", inner, limited)
	if sysctl != nil {
		sysctl.Restore()
	}
	if limited != "" {
		limited.Put(c.controller+".max", "max")
	}
	said.emit(p, "")
	w.emit()
	if limited != "" {
		events(p, c, inner, limited)
	}
	if !c.remains() {
		return
	}
	free := &watched{p: p, cause: c, limit: victimLimit}
	free.cause.plain, free.cause.lifted = true, false
	free.run(again, inner, limited).emit(p, again)
}

// events records what the groups counted.
func events(p *probe.P, c cause, inner, limited limit.Group) {
	counters := map[string][]string{"pids": {"max"}, "memory": {"oom_kill"}}[c.controller]
	o := p.Observe("events")
	for _, counter := range counters {
		inner.Count(o, "inner."+counter, c.controller+".events", counter)
		limited.Count(o, "limited."+counter, c.controller+".events", counter)
	}
	o.Emit()
}

// run runs a program until it ends, or until nothing happens in it any more.
func (w *watched) run(before string, inner, limited limit.Group) (said words) {
	stdout, stderr := pipe(), pipe()
	w.tracer = trace.NewCalls(w.p.Kernel.Table, 0)
	w.calls, w.counts = map[int]*trace.Info{}, map[int]*count{}
	w.pid, said.err = syscall.ForkExec(w.cause.program(w.p.Kernel.Table),
		[]string{"newosproc", "-child", "victim", w.cause.name, before, string(inner), string(limited)},
		&syscall.ProcAttr{Env: environment(w.cause), Files: []uintptr{0, stdout.w.Fd(), stderr.w.Fd()}, Sys: w.attributes()})
	stdout.w.Close()
	stderr.w.Close()
	if said.err != nil {
		w.unknown = "start the program: " + said.err.Error()
		return said
	}
	w.timer = time.AfterFunc(w.limit, func() {
		atomic.StoreInt32(&w.hung, 1)
		_ = syscall.Kill(w.pid, syscall.SIGKILL)
	})
	defer w.timer.Stop()
	steps, text := stdout.drain(maxSteps, func() {}), stderr.drain(maxText, func() { w.timer.Reset(quiet) })
	if w.cause.plain {
		said.status, said.err = wait(w.pid)
	} else {
		said.status, said.err = trace.Follow(w.pid, trace.OptionGoodSyscall|trace.OptionClone|trace.OptionExitKill, w.stop)
	}
	said.hung = atomic.LoadInt32(&w.hung) != 0
	said.steps, said.text = <-steps, <-text
	return said
}

func wait(pid int) (status syscall.WaitStatus, err error) {
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			return status, err
		}
	}
}

func (w *watched) attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Ptrace: !w.cause.plain, Pdeathsig: syscall.SIGKILL}
	if w.cause.uid != 0 {
		// The group must stay the same: see raise.
		a.Credential = &syscall.Credential{Uid: w.cause.uid, Gid: uint32(os.Getgid())}
	}
	return a
}

// environment turns off the runtime's preemption signals for a traced program. It
// stops at each signal, and on a slow machine they come faster than it continues.
func environment(c cause) (env []string) {
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GODEBUG=") {
			env = append(env, e)
		}
	}
	if c.plain {
		return env
	}
	return append(env, "GODEBUG=asyncpreemptoff=1")
}

// stop looks at what a thread does. Threads stop at every call.
func (w *watched) stop(h trace.Halt) (trace.Way, error) {
	if h.Kind == trace.Ended {
		w.tracer.Gone(h.Thread)
		delete(w.calls, h.Thread)
	}
	if h.Kind != trace.Called || w.unknown != "" {
		return trace.RunToCall, nil
	}
	info, err := w.tracer.At(h.Thread)
	switch {
	case errors.Is(err, syscall.ESRCH):
		return trace.Run, err
	case err != nil:
		w.unknown = err.Error()
		return trace.Run, nil
	case info.Operation == trace.Entry:
		w.calls[h.Thread] = info
		return trace.RunToCall, nil
	}
	call := w.calls[h.Thread]
	delete(w.calls, h.Thread)
	if info.Operation != trace.Exit || call == nil || call.Number() != w.p.Kernel.Syscall.Clone {
		return trace.RunToCall, nil
	}
	flags := call.Arguments()[place(w.p.Kernel.Table, abi.CloneFlags)]
	if flags&cloneThread == 0 {
		return trace.RunToCall, nil
	}
	if tid, failed := info.Result(); failed != 0 {
		w.refused(h.Thread, flags, failed)
	} else {
		w.made++
		w.latest, w.flags = int(tid), flags
		if len(w.counts) > 0 {
			w.timer.Reset(quiet)
		}
	}
	return trace.RunToCall, nil
}

// refused counts a refused thread.
func (w *watched) refused(tid int, flags uint64, errno int) {
	w.timer.Reset(quiet)
	now := time.Now()
	c := w.counts[tid]
	if c == nil {
		c = &count{begin: now, flags: flags}
		w.counts[tid] = c
	}
	if len(w.counts) == 1 {
		w.first = tid
	}
	c.refused++
	c.latest, c.errno = now, errno
	if w.cause.lifted && tid == w.first && c.refused == enough {
		w.lift = raise(w.p.Kernel, w.pid, w.cause.uid)
	}
}

// raise restores a process's full RLIMIT_NPROC. Setting limits of another user or
// group needs CAP_SYS_RESOURCE, which root may lack. So this thread takes that
// user's real ID meanwhile; the effective ID stays.
func raise(k *sys.Kernel, pid int, uid uint32) syscall.Errno {
	const keep = ^uint32(0)
	if errno := k.Setresuid(uid, keep, keep); errno != 0 {
		return errno
	}
	defer k.Setresuid(0, keep, keep)
	var l sys.Rlimit
	errno := prlimit(k, pid, nil, &l)
	if errno == 0 {
		l.Current = l.Max
		errno = prlimit(k, pid, &l, nil)
	}
	return errno
}

func prlimit(k *sys.Kernel, pid int, set, get *sys.Rlimit) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(uintptr(k.Syscall.Prlimit64), uintptr(pid), uintptr(k.Rlimit.NProc),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), 0, 0)
	return errno
}

// emit records how often clone made a thread. For the thread that was refused first
// it records how often it asked, for how long, and the last answer.
func (w *watched) emit() {
	if w.cause.plain {
		return
	}
	o := w.p.Observe("clone")
	defer o.Emit()
	if w.unknown != "" {
		o.Unknown("refused", w.unknown)
		return
	}
	o.Set("made", w.made).Set("by", w.tracer.By())
	if w.cause.lifted {
		o.Set("lifted", w.p.Outcome(w.lift))
	}
	c := w.counts[w.first]
	if c == nil {
		o.Set("refused", 0)
		if w.made > 0 {
			o.Returned(call(w.flags), uintptr(w.latest), 0)
		}
		return
	}
	o.Set("refused", c.refused).Set("milliseconds", c.latest.Sub(c.begin).Milliseconds())
	o.Returned(call(c.flags), 0, syscall.Errno(c.errno))
}
