package newosproc

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

const (
	// victimLimit bounds the run of a program in which nothing happens.
	victimLimit = 60 * time.Second
	// quiet bounds how long a program lives after its last refusal or its last output,
	// if its threads do not tell that it hangs. It then has only some lines to write.
	quiet = 10 * time.Second
	// enough is the number of refusals before a limit is lifted.
	enough = 3
)

// watched is a cause, and what its program did.
type watched struct {
	p     *probe.P
	cause cause
	at    *venue
	counter
}

// watch runs the program of a cause, undoes the cause, and runs the program again if the
// cause could have left something behind. Nothing is written before the cause is undone,
// because the reader may need a thread.
func watch(p *probe.P, c cause, at *venue) {
	w := &watched{p: p, cause: c, at: at}
	said := w.run("")
	at.lift(c)
	said.emit(p, c.name+".")
	w.emit()
	if at.limited != "" {
		w.events()
	}
	if !c.remains() {
		return
	}
	free := &watched{p: p, cause: c, at: at}
	free.cause.plain, free.cause.lifted = true, false
	free.run(again).emit(p, c.name+"."+again)
}

// events records what the groups counted.
func (w *watched) events() {
	counters := map[string][]string{"pids": {"max"}, "memory": {"oom_kill"}}[w.cause.controller]
	o := w.p.Observe(w.cause.name + ".events")
	for _, counter := range counters {
		w.at.inner.Count(o, "inner."+counter, w.cause.controller+".events", counter)
		w.at.limited.Count(o, "limited."+counter, w.cause.controller+".events", counter)
	}
	o.Emit()
}

// run runs the program of the cause to its end, or until it hangs.
func (w *watched) run(before string) words {
	r := &running{
		p: w.p,
		program: trace.Program{
			Path: w.cause.program(w.p.Kernel.Table),
			Args: []string{"newosproc", "-child", "victim", w.cause.name, before, string(w.at.inner), string(w.at.limited)},
			Env:  environment(w.cause), UID: w.cause.uid,
		},
		limit: probe.Patience(victimLimit),
	}
	if w.cause.plain {
		return r.alone()
	}
	w.counter = counter{kernel: w.p.Kernel, running: r, refusing: w.cause.refuses != ""}
	if w.cause.lifted {
		w.lift = func() syscall.Errno { return raise(w.p.Kernel, r.pid, w.cause.uid) }
	}
	r.program.Filter = w.filter()
	said := r.followed(w.stop)
	if said.err != nil {
		w.unknown = said.err.Error()
	}
	return said
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
	o := w.p.Observe(w.cause.name + ".clone")
	defer o.Emit()
	if w.unknown != "" {
		o.Unknown("refused", w.unknown)
		return
	}
	o.Set("made", w.made).Set("by", w.by())
	if w.cause.lifted {
		o.Set("lifted", w.p.Outcome(w.lifted))
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

// meet runs one cause. It restores what the cause changes on the machine, also if that
// cannot be done, which is told instead.
func meet(p *probe.P, c cause) {
	o := p.Observe(c.name)
	defer o.Emit()
	if why := c.absent(limit.Version2, "/proc/sys"); why != "" {
		o.Set("absent", why).Unknown("watched", why)
		return
	}
	at, err := prepare(c)
	if err != nil {
		o.Unknown("watched", "not tried: "+err.Error())
		return
	}
	defer at.restore()
	told(o, func() { watch(p, c, at) })
}

// told runs something and records that it came to its end, or why it did not. A limit
// that cannot be set must not end the probe.
func told(o *probe.Obs, run func()) {
	defer func() {
		if r := recover(); r != nil {
			o.Unknown("watched", fmt.Sprint(r))
		}
	}()
	run()
	o.Set("watched", true)
}
