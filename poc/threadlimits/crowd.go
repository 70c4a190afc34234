package threadlimits

import (
	"fmt"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

const (
	// room is the number of children for which a limit leaves room.
	room = 8
	// most is the number of attempts after which a limit counts as ignored.
	most = 3 * room
)

// crowd holds the children that this process made by raw clone.
type crowd struct {
	k    *sys.Kernel
	args sys.CloneArgs
	pids []int
}

// newCrowd prepares for up to capacity children, because nothing may be allocated
// while a limit is set. With pause the children live until they are killed. Without
// it they end at once, and stay zombies until they are waited for.
func newCrowd(p *probe.P, pause bool, capacity int) *crowd {
	return &crowd{
		k:    p.Kernel,
		args: sys.CloneArgs{Flags: p.Kernel.Signal.Chld, Pause: pause},
		pids: make([]int, 0, capacity),
	}
}

func (c *crowd) add() (int, syscall.Errno) {
	pid, errno := c.k.Clone(&c.args)
	if errno == 0 {
		c.pids = append(c.pids, pid)
	}
	return pid, errno
}

// fill adds children until the kernel refuses one or n were made.
func (c *crowd) fill(n int) (made int, errno syscall.Errno) {
	for made < n {
		if _, errno = c.add(); errno != 0 {
			return made, errno
		}
		made++
	}
	return made, 0
}

// remove kills the newest child and waits for it. It returns the child's ID, and
// whether the kill ended it.
func (c *crowd) remove() (pid int, killed bool) {
	last := len(c.pids) - 1
	pid, c.pids = c.pids[last], c.pids[:last]
	_ = syscall.Kill(pid, syscall.SIGKILL)
	status, err := wait(pid)
	return pid, err == nil && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// disperse removes all children and returns how many lived until then.
func (c *crowd) disperse() (killed int) {
	for len(c.pids) > 0 {
		if _, lived := c.remove(); lived {
			killed++
		}
	}
	return killed
}

// alive counts the children that have not ended.
func (c *crowd) alive() (n int) {
	for _, pid := range c.pids {
		if ended, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil); err == nil && ended == 0 {
			n++
		}
	}
	return n
}

func wait(pid int) (status syscall.WaitStatus, err error) {
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			return status, err
		}
	}
}

// meeting records what happened at a limit.
type meeting struct {
	made    int           // children before the first refusal
	refusal syscall.Errno // 0 when there was none
	freed   int           // ID of the child that was then removed
	again   int           // ID of the child that took its place
	denial  syscall.Errno // errno of making that child
	full    syscall.Errno // errno of making one more after it
}

// meet makes children up to a limit, removes one, makes another, and tries one
// more.
func (c *crowd) meet(n int) (m meeting) {
	m.made, m.refusal = c.fill(n)
	if m.refusal == 0 || m.made == 0 {
		return m
	}
	m.freed, _ = c.remove()
	m.again, m.denial = c.add()
	_, m.full = c.add()
	return m
}

// emit records a meeting in the steps prefix+refused, prefix+again and prefix+full.
// more adds values to the first one. What did not happen is not recorded.
func (m meeting) emit(p *probe.P, prefix string, more func(*probe.Obs)) {
	call := fmt.Sprintf("clone(flags=%#x)", p.Kernel.Signal.Chld)
	o := p.Observe(prefix+"refused").Set("made", m.made)
	o.Returned(call, 0, m.refusal)
	if more != nil {
		more(o)
	}
	o.Emit()
	if m.refusal == 0 || m.made == 0 {
		return
	}
	o = p.Observe(prefix+"again").Set("freed", m.freed)
	o.Returned(call, uintptr(m.again), m.denial)
	o.Emit()
	o = p.Observe(prefix + "full")
	o.Returned(call, 0, m.full)
	o.Emit()
}

// one records an attempt to make one child, and removes the child.
func (c *crowd) one(p *probe.P, step string) {
	pid, errno := c.add()
	if errno == 0 {
		c.remove()
	}
	o := p.Observe(step)
	o.Returned(fmt.Sprintf("clone(flags=%#x)", c.args.Flags), uintptr(pid), errno)
	o.Emit()
}

// leave removes the children and records how many there were.
func (c *crowd) leave(p *probe.P, step string) {
	n := len(c.pids)
	p.Observe(step).Set("children", n).Set("killed", c.disperse()).Emit()
}
