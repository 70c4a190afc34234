package threadlimits

import (
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

const (
	newUser = 0x10000000 // CLONE_NEWUSER
	newPID  = 0x20000000 // CLONE_NEWPID
)

// debianUserNamespaces is a sysctl of Debian's kernels: with 0 only root can make user
// namespaces.
const debianUserNamespaces = "kernel/unprivileged_userns_clone"

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

// namespaceUsers is the number of users that userNamespaces becomes, one for each step.
const namespaceUsers = 4

// userNamespaces makes user namespaces without privilege, under each sysctl that
// forbids it.
func userNamespaces(p *probe.P) {
	as := func(uid uint32, f func()) {
		// Root as the saved user allows the way back, and nothing else.
		if errno := p.Kernel.Setresuid(uid, uid, 0); errno != 0 {
			panic(errno)
		}
		f()
		if errno := p.Kernel.Setresuid(0, 0, 0); errno != 0 {
			panic(errno)
		}
	}
	crowdOf := func() *crowd {
		c := newCrowd(p, true, most+2)
		c.args.Flags |= newUser
		return c
	}
	var users []uint32
	for _, arg := range p.Args {
		users = append(users, user(arg))
	}
	as(users[0], func() { crowdOf().one(p, "plain") })

	o := p.Observe("debian")
	s, err := limit.Open(debianUserNamespaces)
	if err != nil {
		o.Set("sysctl", "absent").Emit()
	} else {
		o.Set("sysctl", s.Was())
		o.Returned("write 0 to kernel.unprivileged_userns_clone", 0, s.Set([]byte("0")))
		o.Emit()
		as(users[1], func() { crowdOf().one(p, "debian.clone") })
		s.Restore()
		defer s.Restore()
		if errno := s.Set([]byte("1")); errno != 0 {
			panic(errno)
		}
	}

	limited := limit.MustOpen("user/max_user_namespaces")
	defer limited.Restore()
	allowed := strconv.Itoa(room)
	limited.Wrote(p, "limit", allowed, limited.Set([]byte(allowed))).Set("limit", allowed).Emit()
	as(users[2], func() {
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
			limit.Pause(20 * time.Millisecond)
			pid, errno = c.add()
		}
		o = p.Observe("again")
		o.Returned(fmt.Sprintf("clone(flags=%#x)", c.args.Flags), uintptr(pid), errno)
		o.Emit()
		c.leave(p, "ended")
	})
	limited.Wrote(p, "zero", "0", limited.Set([]byte("0"))).Emit()
	as(users[3], func() { crowdOf().one(p, "zero.clone") })
}

// allowUserNamespaces changes the sysctls that forbid users to make user namespaces, if
// that can be done. restore gives them back their values.
func allowUserNamespaces() (restore func()) {
	var changed []*limit.Sysctl
	for name, least := range map[string]int{debianUserNamespaces: 1, "user/max_user_namespaces": most} {
		s, err := limit.Open(name)
		if err != nil {
			continue
		}
		if now, err := strconv.Atoi(s.Was()); err == nil && now < least && s.Set([]byte(strconv.Itoa(least))) == 0 {
			changed = append(changed, s)
		}
	}
	return func() {
		for _, s := range changed {
			s.Restore()
		}
	}
}

// oneNamespace records whether its user can make a user namespace.
func oneNamespace(p *probe.P) {
	c := newCrowd(p, true, 1)
	c.args.Flags |= newUser
	c.one(p, "clone")
}
