package threadlimits

import (
	"fmt"
	"strconv"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// pids reaches pids.max of a group and of its parent. It also lowers the limit
// below the current number, and enters a group with limit 0.
func pids(p *probe.P) {
	root := limit.Group(p.Args[0])
	defer root.Offer("pids")()
	leaf := root.Below("limits-leaf")
	leafLimit(p, root, leaf)
	emptyGroup(p, root, leaf)
	leaf.Remove()
	nestedLimit(p, root)
}

// leafLimit reaches the limit of the process's own group.
func leafLimit(p *probe.P, root, leaf limit.Group) {
	leaf.MustEnter()
	defer root.MustEnter()
	minus := p.Observe("text.negative")
	minus.Returned(`write "-1" to pids.max`, 0, leaf.Write("pids.max", "-1"))
	minus.Emit()
	max := p.Observe("text.max")
	max.Returned(`write "max" to pids.max`, 0, leaf.Write("pids.max", "max"))
	max.Set("value", leaf.Read("pids.max")).Emit()

	c := newCrowd(p, true, most+2)
	before := leaf.Number("pids.current")
	leaf.Put("pids.max", strconv.Itoa(before+room))
	m := c.meet(most)
	current := leaf.Number("pids.current")
	m.emit(p, "leaf.", func(o *probe.Obs) {
		o.Set("limit", before+room).Set("before", before).Set("current", current)
	})
	o := p.Observe("leaf.events").Set("refusals", refusals(m))
	leaf.Count(o, "max", "pids.events", "max")
	o.Emit()
	leaf.Put("pids.max", "max")
	c.one(p, "leaf.raised")

	leaf.Put("pids.max", "1")
	_, errno := c.add()
	o = p.Observe("lowered").Set("children", len(c.pids)).Set("alive", c.alive()).Set("current", leaf.Number("pids.current"))
	o.Returned(fmt.Sprintf("clone(flags=%#x)", c.args.Flags), 0, errno)
	o.Emit()
	leaf.Put("pids.max", "max")
	c.leave(p, "ended")
}

// refusals returns how often the kernel refused a child in a meeting.
func refusals(m meeting) (n int) {
	for _, refused := range []bool{m.refusal != 0, m.denial != 0, m.full != 0} {
		if refused {
			n++
		}
	}
	return n
}

// emptyGroup enters a group whose limit is 0.
func emptyGroup(p *probe.P, root, leaf limit.Group) {
	leaf.Put("pids.max", "0")
	o := p.Observe("zero.enter")
	o.Returned("write 0 to cgroup.procs", 0, leaf.Enter())
	o.Set("current", leaf.Number("pids.current")).Emit()
	newCrowd(p, true, 1).one(p, "zero.clone")
	root.MustEnter()
	newCrowd(p, true, 1).one(p, "zero.left")
}

// nestedLimit reaches the limit of the parent of the process's group.
func nestedLimit(p *probe.P, root limit.Group) {
	outer := root.Below("limits-outer")
	outer.Offer("pids")
	inner := outer.Below("inner")
	inner.MustEnter()
	c := newCrowd(p, true, most+2)
	before := outer.Number("pids.current")
	outer.Put("pids.max", strconv.Itoa(before+room))
	m := c.meet(most)
	m.emit(p, "nested.", func(o *probe.Obs) {
		o.Set("limit", before+room).Set("before", before).Set("inner.max", inner.Read("pids.max"))
		o.Set("current", outer.Number("pids.current"))
	})
	o := p.Observe("nested.events").Set("refusals", refusals(m))
	outer.Count(o, "outer", "pids.events", "max")
	outer.Count(o, "outer.local", "pids.events.local", "max")
	inner.Count(o, "inner", "pids.events", "max")
	inner.Count(o, "inner.local", "pids.events.local", "max")
	o.Emit()
	c.leave(p, "nested.ended")
	root.MustEnter()
	inner.Remove()
	outer.Remove()
}
