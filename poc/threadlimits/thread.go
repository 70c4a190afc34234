package main

import (
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// Scheduling (include/uapi/linux/sched.h).
const (
	schedDeadline = 6
	resetOnFork   = 1
)

// deadline clones from a thread with a deadline policy, as root and without a
// limit.
func deadline(p *probe.P) {
	c := newCrowd(p, true, 1)
	attr := sys.SchedAttr{Policy: schedDeadline, Runtime: 5e6, Deadline: 10e6, Period: 10e6}
	set := func(step string, a sys.SchedAttr) {
		o := p.Observe(step)
		o.Returned(fmt.Sprintf("sched_setattr(policy=%d, flags=%d)", a.Policy, a.Flags), 0, p.Kernel.SchedSetattr(a))
		o.Emit()
	}
	set("set", attr)
	c.one(p, "clone")
	attr.Flags = resetOnFork
	set("reset", attr)
	c.one(p, "reset.clone")
	set("normal", sys.SchedAttr{})
	c.one(p, "normal.clone")
}

const (
	newUser = 0x10000000 // CLONE_NEWUSER
	newPID  = 0x20000000 // CLONE_NEWPID
)

// deadNamespace forks into a PID namespace whose first process has ended.
func deadNamespace(p *probe.P) {
	c := newCrowd(p, false, 1)
	o := p.Observe("unshare")
	o.Returned(fmt.Sprintf("unshare(%#x)", newPID), 0, p.Kernel.Unshare(newPID))
	o.Emit()
	c.one(p, "init") // one also waits for its end
	c.one(p, "fork")
	// This thread can fork no more, but other threads of the process can.
	onThread(func() { c.one(p, "elsewhere") })
}

// userNamespaces makes user namespaces without privilege, under each sysctl that
// forbids it.
func userNamespaces(p *probe.P) {
	limit.Prewarm()
	as := func(uid uint32, f func()) {
		onThread(func() {
			if errno := p.Kernel.Setresuid(uid, uid, uid); errno != 0 {
				panic(errno)
			}
			f()
		})
	}
	crowdOf := func() *crowd {
		c := newCrowd(p, true, most+2)
		c.args.Flags |= newUser
		return c
	}
	// Each step has its own user: the kernel stops counting a namespace only some
	// time after its end.
	as(nobody, func() { crowdOf().one(p, "plain") })

	o := p.Observe("debian")
	s, err := limit.Open("kernel/unprivileged_userns_clone")
	if err != nil {
		o.Set("sysctl", "absent").Emit()
	} else {
		o.Set("sysctl", s.Was())
		o.Returned("write 0 to kernel.unprivileged_userns_clone", 0, s.Set([]byte("0")))
		o.Emit()
		as(nobody-1, func() { crowdOf().one(p, "debian.clone") })
		s.Restore()
	}

	limited := limit.MustOpen("user/max_user_namespaces")
	defer limited.Restore()
	allowed := strconv.Itoa(room)
	limited.Wrote(p, "limit", allowed, limited.Set([]byte(allowed))).Set("limit", allowed).Emit()
	as(nobody-2, func() {
		c := crowdOf()
		made, refusal := c.fill(most)
		o := p.Observe("refused").Set("made", made)
		o.Returned(fmt.Sprintf("clone(flags=%#x)", c.args.Flags), 0, refusal)
		o.Emit()
		if refusal == 0 || made == 0 {
			c.disperse()
			return
		}
		c.remove()
		pid, errno := c.add()
		for try := 0; try < 100 && errno == syscall.ENOSPC; try++ {
			time.Sleep(20 * time.Millisecond)
			pid, errno = c.add()
		}
		o = p.Observe("again")
		o.Returned(fmt.Sprintf("clone(flags=%#x)", c.args.Flags), uintptr(pid), errno)
		o.Emit()
		c.leave(p, "ended")
	})
	limited.Wrote(p, "zero", "0", limited.Set([]byte("0"))).Emit()
	as(nobody-3, func() { crowdOf().one(p, "zero.clone") })
}
