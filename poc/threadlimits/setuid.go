package threadlimits

import (
	"fmt"
	"os"
	"syscall"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// crowded is the number of processes of the user that root becomes. A limit of two less
// is still more than the executed Go program needs once they are gone.
const crowded = 20

// setuidThenExec becomes a user with more processes than RLIMIT_NPROC allows, and
// executes a program.
func setuidThenExec(p *probe.P) {
	k := p.Kernel
	keep := ^uint32(0)
	c := newCrowd(p, true, crowded)
	busy := user(p.Args[0])
	// Root as the saved user allows the way back.
	if errno := k.Setresuid(busy, busy, 0); errno != 0 {
		panic(errno)
	}
	made, errno := c.fill(crowded)
	back := k.Setresuid(0, 0, keep)
	if errno != 0 || back != 0 {
		panic(fmt.Sprintf("%d of %d children, errno %d, %d", made, crowded, errno, back))
	}
	limit.Soft(p, "limit", "RLIMIT_NPROC", k.Rlimit.NProc, crowded-2)
	o := p.Observe("setuid")
	ok := o.Returned(fmt.Sprintf("setresuid(%d, %[1]d, %[1]d)", busy), 0, k.Setresuid(busy, busy, busy))
	o.Set("children", c.alive()).Emit()
	if !ok {
		return
	}
	// execute returns only if it is refused. Otherwise the new program records the
	// step.
	execute := func(step string) {
		err := syscall.Exec("/proc/self/exe", []string{os.Args[0], "-child", "executed", step}, os.Environ())
		o := p.Observe(step)
		o.Returned("execve", 0, limit.ErrnoOf(err))
		o.Emit()
	}
	execute("exec")
	c.leave(p, "ended")
	execute("executed.who")
}

// executed is the program that setuidThenExec executes.
func executed(p *probe.P) {
	o := p.Observe(p.Args[0])
	o.Returned("execve", 0, 0)
	o.Set("uid", os.Getuid()).Emit()
}
