package main

import (
	"fmt"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

const (
	// room is how many children a limit is set to leave room for.
	room = 8
	// most is how many are tried before a limit counts as ignored.
	most = 3 * room
)

// crowd is the children that this process made by raw clone.
type crowd struct {
	k    *sys.Kernel
	args sys.CloneArgs
	pids []int
}

// newCrowd prepares for up to capacity children: nothing is allocated while a
// limit holds. With pause they live until they are killed; without, they end at
// once and stay as zombies until they are waited for.
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

// fill adds children until the kernel refuses one or there are n more.
func (c *crowd) fill(n int) (made int, errno syscall.Errno) {
	for made < n {
		if _, errno = c.add(); errno != 0 {
			return made, errno
		}
		made++
	}
	return made, 0
}

// remove ends the child that came last, waits for it, and returns its ID and
// whether it had to be killed.
func (c *crowd) remove() (pid int, killed bool) {
	last := len(c.pids) - 1
	pid, c.pids = c.pids[last], c.pids[:last]
	_ = syscall.Kill(pid, syscall.SIGKILL)
	status, err := wait(pid)
	return pid, err == nil && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// disperse removes all and returns how many of them lived until then.
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

// meeting is what happened at a limit.
type meeting struct {
	made    int           // children before the first refusal
	refusal syscall.Errno // 0 when there was none
	freed   int           // the ID of the one that was then removed
	again   int           // the ID of the one that took its place
	denial  syscall.Errno // of that one
	full    syscall.Errno // of one more after it
}

// meet fills up to a limit, makes room for one, fills it, and tries once more.
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

// emit records a meeting in the steps prefix+refused, again and full; more adds
// to the first. What never came to pass is not recorded.
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

// one records an attempt to make one child, which is removed again.
func (c *crowd) one(p *probe.P, step string) {
	pid, errno := c.add()
	if errno == 0 {
		c.remove()
	}
	o := p.Observe(step)
	o.Returned(fmt.Sprintf("clone(flags=%#x)", c.args.Flags), uintptr(pid), errno)
	o.Emit()
}

// leave records the end of the children.
func (c *crowd) leave(p *probe.P, step string) {
	n := len(c.pids)
	p.Observe(step).Set("children", n).Set("killed", c.disperse()).Emit()
}
