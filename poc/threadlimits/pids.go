package main

import (
	"fmt"
	"strconv"

	"github.com/mapstack/conformance/poc/probe"
)

// pids meets pids.max of a group, of the group around it, lowers it below what
// there is, and enters a group that allows nothing.
func pids(p *probe.P) {
	prewarm()
	root := group(p.Args[0])
	root.offer("pids")
	leaf := root.below("limits-leaf")
	leafLimit(p, root, leaf)
	emptyGroup(p, root, leaf)
	leaf.remove()
	nestedLimit(p, root)
	root.withdraw("pids")
}

// leafLimit meets the limit of the group that the process is in.
func leafLimit(p *probe.P, root, leaf group) {
	leaf.mustEnter()
	defer root.mustEnter()
	minus := p.Observe("text.negative")
	minus.Returned(`write "-1" to pids.max`, 0, leaf.write("pids.max", "-1"))
	minus.Emit()
	max := p.Observe("text.max")
	max.Returned(`write "max" to pids.max`, 0, leaf.write("pids.max", "max"))
	max.Set("value", leaf.read("pids.max")).Emit()

	c := newCrowd(p, true, most+2)
	before := leaf.number("pids.current")
	leaf.put("pids.max", strconv.Itoa(before+room))
	m := c.meet(most)
	current := leaf.number("pids.current")
	m.emit(p, "leaf.", func(o *probe.Obs) {
		o.Set("limit", before+room).Set("before", before).Set("current", current)
	})
	o := p.Observe("leaf.events").Set("refusals", refusals(m))
	leaf.count(o, "max", "pids.events", "max")
	o.Emit()
	leaf.put("pids.max", "max")
	c.one(p, "leaf.raised")

	leaf.put("pids.max", "1")
	_, errno := c.add()
	o = p.Observe("lowered").Set("children", len(c.pids)).Set("alive", c.alive()).Set("current", leaf.number("pids.current"))
	o.Returned(fmt.Sprintf("clone(flags=%#x)", c.args.Flags), 0, errno)
	o.Emit()
	leaf.put("pids.max", "max")
	c.leave(p, "ended")
}

// refusals is how often the kernel said no in a meeting.
func refusals(m meeting) (n int) {
	for _, refused := range []bool{m.refusal != 0, m.denial != 0, m.full != 0} {
		if refused {
			n++
		}
	}
	return n
}

// emptyGroup enters a group whose limit is 0.
func emptyGroup(p *probe.P, root, leaf group) {
	leaf.put("pids.max", "0")
	o := p.Observe("zero.enter")
	o.Returned("write 0 to cgroup.procs", 0, leaf.enter())
	o.Set("current", leaf.number("pids.current")).Emit()
	newCrowd(p, true, 1).one(p, "zero.clone")
	root.mustEnter()
	newCrowd(p, true, 1).one(p, "zero.left")
}

// nestedLimit meets the limit of the group around the one that the process is
// in.
func nestedLimit(p *probe.P, root group) {
	outer := root.below("limits-outer")
	outer.offer("pids")
	inner := outer.below("inner")
	inner.mustEnter()
	c := newCrowd(p, true, most+2)
	before := outer.number("pids.current")
	outer.put("pids.max", strconv.Itoa(before+room))
	m := c.meet(most)
	m.emit(p, "nested.", func(o *probe.Obs) {
		o.Set("limit", before+room).Set("before", before).Set("inner.max", inner.read("pids.max"))
		o.Set("current", outer.number("pids.current"))
	})
	o := p.Observe("nested.events").Set("refusals", refusals(m))
	outer.count(o, "outer", "pids.events", "max")
	outer.count(o, "outer.local", "pids.events.local", "max")
	inner.count(o, "inner", "pids.events", "max")
	inner.count(o, "inner.local", "pids.events.local", "max")
	o.Emit()
	c.leave(p, "nested.ended")
	root.mustEnter()
	inner.remove()
	outer.remove()
}
