package main

import (
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// pidsOfVersion1 repeats the steps of cgroup version 2 in a hierarchy of version 1.
func pidsOfVersion1(p *probe.P) {
	at, err := os.MkdirTemp("", "pids")
	limit.Must(err)
	defer os.Remove(at)
	// Version 2 releases the controller some time after its last group is removed.
	err = syscall.Mount("cgroup", at, "cgroup", 0, "pids")
	for try := 0; try < 100 && err == syscall.EBUSY; try++ {
		time.Sleep(50 * time.Millisecond)
		err = syscall.Mount("cgroup", at, "cgroup", 0, "pids")
	}
	o := p.Observe("mount")
	o.Returned("mount(cgroup, pids)", 0, limit.ErrnoOf(err))
	o.Emit()
	if err != nil {
		return
	}
	p.Observe("pids").Child(probe.Child{Name: "pids", Args: []string{at}}).Emit()
	limit.Must(syscall.Unmount(at, 0))
}

// memoryGroup starts threads without end in a group with little memory.
func memoryGroup(p *probe.P) {
	root := limit.Group(limit.Version2)
	defer root.Offer("memory")()
	g := root.Below("limits-memory")
	// A thread takes 16 KiB of the kernel's memory and some pages of its own.
	max := 16 << 20
	if least := 512 * int(p.Page); max < least {
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
	p.Observe("survived").Set("threads", limit.MustNumber(limit.Self, "Threads")).Emit()
}
