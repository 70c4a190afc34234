package cloneflags

import (
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// caller makes the calls of the rows.
type caller struct {
	*probe.P
	// limited reports that a limit refuses every child. Without it a call whose flags are
	// accepted makes one, on a stack of its own if it shares memory with this process.
	limited bool
}

// legacy makes one call of clone.
func (c caller) legacy(step string, flags uint64) {
	o := c.Observe(step)
	args := sys.CloneArgs{Flags: flags}
	if c.limited || flags&vm == 0 {
		tid, errno := c.Kernel.Clone(&args)
		c.end(o, o.Returned(describe(flags), uintptr(tid), errno), tid, flags)
		return
	}
	tid, _, errno, err := c.Kernel.CloneOnStack(args, c.nothing())
	if err != nil {
		o.Unknown("ret", err.Error()).Emit()
		return
	}
	c.end(o, o.Returned(describe(flags), uintptr(tid), errno), tid, flags)
}

// clone3 makes one call of clone3.
func (c caller) clone3(row clone3Row) {
	o := c.Observe(row.step)
	flags := row.args[wFlags]
	if c.limited || flags&vm == 0 {
		tid, errno := c.Kernel.Clone3(row.memory(), uintptr(row.size))
		c.end(o, o.Returned(row.call(), uintptr(tid), errno), tid, flags)
		return
	}
	var all [words]uint64
	for i, value := range row.args {
		all[i] = value
	}
	tid, _, errno, err := c.Kernel.Clone3OnStack(all, c.nothing())
	if err != nil {
		o.Unknown("ret", err.Error()).Emit()
		return
	}
	c.end(o, o.Returned(row.call()+" with a stack", uintptr(tid), errno), tid, flags)
}

// nothing is the first call of a child that only has to end.
func (c caller) nothing() [4]uintptr { return [4]uintptr{uintptr(c.Kernel.Syscall.Exit)} }

// unexpectedChild is the exit status after a clone that had to fail succeeded.
const unexpectedChild = 3

// end emits the observation of a call. A child that the limit had to refuse shares memory
// and stack with this process, which must end. Any other child ends by itself.
func (c caller) end(o *probe.Obs, cloned bool, tid int, flags uint64) {
	o.Emit()
	switch {
	case !cloned:
	case c.limited:
		syscall.Exit(unexpectedChild)
	case flags&thread != 0:
		for limit := time.Now().Add(probe.Patience(patience)); time.Now().Before(limit) && c.Kernel.Tgkill(syscall.Getpid(), tid, 0) == 0; {
			pause()
		}
	default:
		// A sibling, and a child that nobody has to wait for, are not waited for.
		for _, err := syscall.Wait4(tid, nil, waitAll, nil); err == syscall.EINTR; {
			_, err = syscall.Wait4(tid, nil, waitAll, nil)
		}
	}
}
