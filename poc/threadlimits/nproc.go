package threadlimits

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// Capabilities (include/uapi/linux/capability.h).
const (
	capSysAdmin    = 21
	capSysResource = 24
)

// processLimits reaches RLIMIT_NPROC as different users. With ours, sysctls that forbid
// user namespaces are changed meanwhile.
func processLimits(p *probe.P, user uint32, ours bool) {
	copied(p, "nproc.user", probe.Copy{Name: "nproc", UID: user})
	copied(p, "nproc.root", probe.Copy{Name: "exempt"})
	copied(p, "nproc.nocaps.in", probe.Copy{Name: "nocaps"})
	copied(p, "nproc.resource", probe.Copy{Name: "exempt", UID: user, Keep: capSysResource})
	copied(p, "nproc.admin", probe.Copy{Name: "exempt", UID: user, Keep: capSysAdmin})
	if ours {
		defer allowUserNamespaces()()
	}
	copied(p, "allowed.user", probe.Copy{Name: "namespace", UID: user})
	copied(p, "allowed.root", probe.Copy{Name: "namespace"})
	copied(p, "nproc.usersns", probe.Copy{Name: "maker", UID: user})
	copied(p, "nproc.rootsns", probe.Copy{Name: "exempt", Namespaces: newUser})
}

// nproc fills its user's RLIMIT_NPROC with living processes, and again with
// processes that have ended. If the parent has the same user, the limit leaves room
// for the parent's threads.
func nproc(p *probe.P) {
	who(p)
	parent := 0
	if len(p.Args) > 0 && p.Args[0] == sameUser {
		parent = limit.MustNumber(fmt.Sprintf("/proc/%d/status", os.Getppid()), "Threads")
	}
	tries := parent + most
	c, z := newCrowd(p, true, tries+2), newCrowd(p, false, tries+2)
	threads := limit.MustNumber(limit.Self, "Threads")
	max := threads + parent + room
	limit.Soft(p, "limit", "RLIMIT_NPROC", p.Kernel.Rlimit.NProc, uint64(max))
	counted := func(o *probe.Obs) {
		o.Set("limit", max).Set("threads", threads).Set("threads.after", limit.MustNumber(limit.Self, "Threads"))
		o.Set("parent", parent)
	}
	m := c.meet(tries)
	m.emit(p, "", counted)
	if parent > 0 { // the rest is the same for every user
		c.leave(p, "ended")
		return
	}
	if m.refusal != 0 && m.made > 0 {
		startProgram(p, "exec.refused")
		c.remove()
		startProgram(p, "exec.again")
	}
	c.leave(p, "ended")
	m = z.meet(tries)
	dead := z.zombies()
	m.emit(p, "zombie.", func(o *probe.Obs) {
		counted(o)
		o.Set("dead", dead)
	})
	z.disperse()
	z.one(p, "recovered")
}

// startProgram starts a program by os/exec, which clones with CLONE_VFORK and
// CLONE_VM.
func startProgram(p *probe.P, step string) {
	o := p.Observe(step)
	cmd := exec.Command("/proc/self/exe", "-child", "no such child")
	err := cmd.Start()
	o.Returned("os/exec Start", 0, limit.ErrnoOf(err))
	if err == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	o.Emit()
}

// zombies waits until every child has ended, and returns how many have.
func (c *crowd) zombies() (n int) {
	for try := 0; try < 200; try++ {
		n = 0
		for _, pid := range c.pids {
			state, err := limit.Field(fmt.Sprintf("/proc/%d/status", pid), "State")
			if err == nil && strings.HasPrefix(state, "Z") {
				n++
			}
		}
		if n == len(c.pids) {
			break
		}
		limit.Pause(10 * time.Millisecond)
	}
	return n
}

// exempt sets RLIMIT_NPROC to one process, and makes more.
func exempt(p *probe.P) {
	const more = 3
	who(p)
	c := newCrowd(p, true, more)
	limit.Soft(p, "limit", "RLIMIT_NPROC", p.Kernel.Rlimit.NProc, 1)
	made, errno := c.fill(more)
	o := p.Observe("filled").Set("made", made)
	o.Returned(fmt.Sprintf("clone(flags=%#x)", c.args.Flags), 0, errno)
	o.Emit()
	c.leave(p, "ended")
}

// withoutCapabilities is root that has given up all capabilities.
func withoutCapabilities(p *probe.P) {
	if errno := p.Kernel.Capset(0); errno != 0 {
		panic(errno)
	}
	exempt(p)
}

// sameUser tells a child that its parent runs as the same user.
const sameUser = "same-user"

// namespaceMaker is a user who makes a user namespace and is root in it.
func namespaceMaker(p *probe.P) {
	copied(p, "in", probe.Copy{Name: "nproc", Args: []string{sameUser}, Namespaces: newUser})
}
