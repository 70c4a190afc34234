package newosproc

import (
	"errors"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// counter counts the clones by which a program makes threads, and the answers to them.
type counter struct {
	kernel  *sys.Kernel
	running *running
	// refusing programs install a filter that refuses clone. Of two answers of filters
	// the kernel takes the stricter one, and that is an error before a stop. So these
	// programs stop at every call from there on, which is armed.
	refusing, armed bool
	// lift raises the limit of the program; nil if that is not tried.
	lift func() syscall.Errno

	threads map[int]bool
	calls   map[int]uint64 // flags of the clones in progress, by thread
	counts  map[int]*count // of the threads that were refused one
	first   int            // the thread that was refused first
	made    int
	latest  int    // the thread that was made last
	flags   uint64 // flags of that clone
	unknown string // why nothing was counted
	lifted  syscall.Errno
}

// count holds the refusals of one thread.
type count struct {
	refused       int
	begin, latest time.Time
	errno         int
	flags         uint64
}

// filter returns the filter that stops a program where it makes a thread, and where it
// refuses itself more.
func (c *counter) filter() []trace.Instruction {
	c.threads, c.calls, c.counts = map[int]bool{}, map[int]uint64{}, map[int]*count{}
	if c.refusing {
		return trace.Filter(trace.Stop, c.kernel.Syscall.Clone, c.kernel.Syscall.Seccomp)
	}
	return trace.FilterFlag(trace.Stop, c.kernel.Syscall.Clone, place(c.kernel.Table, abi.CloneFlags), cloneThread)
}

// by returns how the calls were seen, for people.
func (c *counter) by() string {
	if c.armed {
		return c.running.by() + ", and at every call after the program's own filter"
	}
	return c.running.by()
}

// way returns how threads go on.
func (c *counter) way() trace.Way {
	if c.armed {
		return trace.RunToCall
	}
	return c.running.way()
}

// stop handles one stop of a thread. A clone that made a thread is known by that; only
// the end of one that was refused must be seen.
func (c *counter) stop(h trace.Halt) (trace.Way, error) {
	on := c.way()
	if c.unknown != "" {
		return on, nil
	}
	switch h.Kind {
	case trace.Began:
		c.threads[h.Thread] = true
	case trace.Ended:
		delete(c.threads, h.Thread)
		delete(c.calls, h.Thread)
	case trace.Signalled:
		if c.armed && h.Signal == syscall.SIGSTOP { // from arm
			on |= trace.Unsignalled
		}
	case trace.Filtered:
		if !c.armed { // else the thread has stopped at the call's entry already
			return c.filtered(h.Thread)
		}
	case trace.Cloned:
		if flags, cloning := c.calls[h.Thread]; cloning && on == trace.Run {
			delete(c.calls, h.Thread)
			tid, errno := trace.EventMessage(h.Thread)
			if errno != 0 {
				return on, errno
			}
			c.gave(h.Thread, flags, tid)
		}
	case trace.Called:
		if on == trace.Run {
			return on, c.refusedOne(h.Thread)
		}
		return c.called(h.Thread)
	}
	return on, nil
}

// filtered handles a call that the filter stopped before the kernel did any of it.
func (c *counter) filtered(tid int) (trace.Way, error) {
	info, err := c.running.calls.As(tid, trace.Seccomp)
	if err != nil {
		return c.lost(err)
	}
	switch flags := info.Arguments()[place(c.kernel.Table, abi.CloneFlags)]; {
	case info.Number() == c.kernel.Syscall.Seccomp:
		c.arm(tid)
	case flags&cloneThread == 0:
		return trace.Run, nil
	default:
		c.calls[tid] = flags
	}
	return trace.RunToCall, nil
}

// arm makes all threads stop at every call from now on. A thread must stop once for
// that. SIGSTOP stops it even where the runtime blocks signals, and the thread does not
// get it. The thread tid is about to install the filter and stands still.
func (c *counter) arm(tid int) {
	c.armed = true
	c.running.calls.Within(tid)
	for other := range c.calls {
		c.running.calls.Within(other)
	}
	for other := range c.threads {
		if other != tid {
			_ = c.kernel.Tgkill(c.running.pid, other, uint64(syscall.SIGSTOP)) // it may have ended
		}
	}
}

// refusedOne handles the end of a clone that made no thread.
func (c *counter) refusedOne(tid int) error {
	info, err := c.running.calls.As(tid, trace.Exit)
	if err != nil {
		_, err = c.lost(err)
		return err
	}
	c.ended(tid, info)
	return nil
}

// called handles a program that stops at every call.
func (c *counter) called(tid int) (trace.Way, error) {
	info, err := c.running.calls.At(tid)
	if err != nil {
		return c.lost(err)
	}
	if info.Operation == trace.Exit {
		c.ended(tid, info)
		return trace.RunToCall, nil
	}
	if info.Operation != trace.Entry {
		return trace.RunToCall, nil
	}
	delete(c.calls, tid)
	if flags := info.Arguments()[place(c.kernel.Table, abi.CloneFlags)]; info.Number() == c.kernel.Syscall.Clone && flags&cloneThread != 0 {
		c.calls[tid] = flags
	}
	if c.counts[tid] != nil && fatal(tid, info) {
		return trace.Run, nil
	}
	return trace.RunToCall, nil
}

// fatal reports whether a thread begins to write the runtime's last words (throw in
// runtime/panic.go). It makes no more threads then, but hundreds of calls for its
// traceback.
func fatal(tid int, info *trace.Info) bool {
	const words = "fatal error: "
	args := info.Arguments()
	if info.Number() != syscall.SYS_WRITE || args[0] != uint64(syscall.Stderr) || args[2] < uint64(len(words)) {
		return false
	}
	text := make([]byte, len(words))
	n, err := syscall.PtracePeekData(tid, uintptr(args[1]), text)
	return err == nil && string(text[:n]) == words
}

// lost handles a call that could not be read. A thread may be killed at any time.
func (c *counter) lost(err error) (trace.Way, error) {
	if errors.Is(err, syscall.ESRCH) {
		return trace.Run, err
	}
	c.unknown = err.Error()
	return c.way(), nil
}

// ended counts the answer to a clone.
func (c *counter) ended(tid int, info *trace.Info) {
	flags, cloning := c.calls[tid]
	delete(c.calls, tid)
	if !cloning {
		return
	}
	if made, failed := info.Result(); failed != 0 {
		c.refuse(tid, flags, failed)
	} else {
		c.gave(tid, flags, made)
	}
}

// gave counts a thread that another one made. What its maker was refused before is over: where a
// limit is the whole machine's, the end of any process makes room, and the next refusal begins
// to count at one again. A limit that was raised is what the refusals are kept for.
func (c *counter) gave(maker int, flags, tid uint64) {
	c.made++
	c.latest, c.flags = int(tid), flags
	if len(c.counts) > 0 {
		c.running.stirs()
	}
	if c.lift != nil || c.counts[maker] == nil {
		return
	}
	delete(c.counts, maker)
	if c.first != maker {
		return
	}
	for other, n := range c.counts {
		if c.first == maker || n.begin.Before(c.counts[c.first].begin) {
			c.first = other
		}
	}
}

// refuse counts a thread that was refused.
func (c *counter) refuse(tid int, flags uint64, errno int) {
	c.running.stirs()
	now := time.Now()
	n := c.counts[tid]
	if n == nil {
		n = &count{begin: now, flags: flags}
		c.counts[tid] = n
	}
	if len(c.counts) == 1 {
		c.first = tid
	}
	n.refused++
	n.latest, n.errno = now, errno
	if c.lift != nil && tid == c.first && n.refused == enough {
		c.lifted = c.lift()
	}
}
