package threadlimits

import (
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// controlGroups reaches the limits of control groups, in the hierarchy that has the
// controller.
func controlGroups(p *probe.P) {
	start := func(name string, root limit.Group) {
		copied(p, name, probe.Copy{Name: name, Args: []string{string(root)}})
	}
	h, found := limit.Find("pids")
	if found {
		where(p, "pids.where", h)
		start("pids", h.Root)
	} else {
		// The kernel may have the controller and nobody mounted it.
		errno := mountVersion1(func(root limit.Group) {
			where(p, "pids.where", limit.Hierarchy{Root: root, Version: 1})
			start("pids", root)
		})
		if errno != 0 {
			where(p, "pids.where", limit.Hierarchy{})
		}
	}
	h, _ = limit.Find("memory")
	where(p, "memory.where", h)
	if h.Version == 2 { // version 1 limits memory by other files
		start("memory", h.Root)
	}
	// This is last: version 1 takes the controller away from version 2.
	copied(p, "v1", probe.Copy{Name: "v1"})
}

// where records which hierarchy has a controller.
func where(p *probe.P, step string, h limit.Hierarchy) {
	o := p.Observe(step)
	if h.Version == 0 {
		o.Set("version", "absent").Emit()
		return
	}
	o.Set("version", h.Version).Set("root", string(h.Root)).Emit()
}

// mountVersion1 mounts a hierarchy of version 1 with the pids controller while f runs.
func mountVersion1(f func(root limit.Group)) syscall.Errno {
	at, err := os.MkdirTemp("", "pids")
	limit.Must(err)
	defer os.Remove(at)
	// Version 2 releases the controller some time after its last group is removed.
	err = syscall.Mount("cgroup", at, "cgroup", 0, "pids")
	for try := 0; try < 100 && err == syscall.EBUSY; try++ {
		limit.Pause(50 * time.Millisecond)
		err = syscall.Mount("cgroup", at, "cgroup", 0, "pids")
	}
	if err == nil {
		f(limit.Group(at))
		limit.Must(syscall.Unmount(at, 0))
	}
	return limit.ErrnoOf(err)
}

// pidsOfVersion1 repeats the steps of the pids controller in a hierarchy of version 1.
func pidsOfVersion1(p *probe.P) {
	report := func(errno syscall.Errno) {
		o := p.Observe("mount")
		o.Returned("mount(cgroup, pids)", 0, errno)
		o.Emit()
	}
	errno := mountVersion1(func(root limit.Group) {
		report(0)
		copied(p, "pids", probe.Copy{Name: "pids", Args: []string{string(root)}})
	})
	if errno != 0 {
		report(errno)
	}
}

// memoryGroup starts threads without end in a group with little memory.
func memoryGroup(p *probe.P) {
	root := limit.Group(p.Args[0])
	defer root.Offer("memory")()
	g := root.Below("limits-memory")
	// A thread takes 16 KiB of the kernel's memory and some pages of its own, so that
	// there is room for some 100.
	max := 4 << 20
	if least := 256 * int(p.Page); max < least {
		max = least
	}
	g.Put("memory.max", strconv.Itoa(max))
	p.Observe("child").Child(probe.Child{Name: "storm", Args: []string{string(g)}}).Emit()
	o := p.Observe("events").Set("max", g.Read("memory.max"))
	for _, counter := range []string{"max", "oom", "oom_kill"} {
		g.Count(o, "events."+counter, "memory.events", counter)
	}
	o.Emit()
	newCrowd(p, true, 1).one(p, "recovered")
	g.Remove()
}

// storm starts threads until something ends it.
func storm(p *probe.P) {
	g := limit.Group(p.Args[0])
	g.MustEnter()
	p.Observe("inside").Set("memory", g.Number("memory.current")).Emit()
	const threads = 3000
	startThreads(threads)
	p.Observe("survived").Set("threads", limit.MustNumber(limit.Self, "Threads")).Set("memory", g.Number("memory.current")).Emit()
}
