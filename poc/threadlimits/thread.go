package threadlimits

import (
	"fmt"

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
