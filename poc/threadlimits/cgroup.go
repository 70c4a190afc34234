package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/probe"
)

// version2 is where the agent mounts cgroup version 2.
const version2 = "/sys/fs/cgroup"

// group is the folder of a control group.
type group string

// below makes a group inside this one.
func (g group) below(name string) group {
	path := filepath.Join(string(g), name)
	if err := os.Mkdir(path, 0o755); !os.IsExist(err) {
		must(err)
	}
	return group(path)
}

func (g group) remove() { must(syscall.Rmdir(string(g))) }

func (g group) write(file, value string) syscall.Errno {
	f, err := os.OpenFile(filepath.Join(string(g), file), os.O_WRONLY, 0)
	if err != nil {
		return errnoOf(err)
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return errnoOf(err)
}

// put is a write that must succeed.
func (g group) put(file, value string) {
	if errno := g.write(file, value); errno != 0 {
		panic(fmt.Sprintf("write %s to %s of %s: %v", value, file, g, errno))
	}
}

func (g group) read(file string) string {
	b, err := os.ReadFile(filepath.Join(string(g), file))
	must(err)
	return strings.TrimSpace(string(b))
}

func (g group) number(file string) int {
	n, err := strconv.Atoi(g.read(file))
	must(err)
	return n
}

// count records a counter of an events file; a file that does not exist is no
// value.
func (g group) count(o *probe.Obs, key, file, counter string) {
	b, err := os.ReadFile(filepath.Join(string(g), file))
	switch {
	case os.IsNotExist(err):
		return
	case err != nil:
		o.Unknown(key, err.Error())
		return
	}
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) == 2 && f[0] == counter {
			o.Set(key, f[1])
			return
		}
	}
	o.Unknown(key, file+" has no line "+counter)
}

// enter moves this process, all threads of it.
func (g group) enter() syscall.Errno { return g.write("cgroup.procs", "0") }

func (g group) mustEnter() {
	if errno := g.enter(); errno != 0 {
		panic(fmt.Sprintf("enter %s: %v", g, errno))
	}
}

// offer lets the groups below use a controller; version 1 always does.
func (g group) offer(controller string) {
	if _, err := os.Stat(filepath.Join(string(g), "cgroup.subtree_control")); err == nil {
		g.put("cgroup.subtree_control", "+"+controller)
	}
}

// withdraw undoes offer.
func (g group) withdraw(controller string) {
	if _, err := os.Stat(filepath.Join(string(g), "cgroup.subtree_control")); err == nil {
		g.put("cgroup.subtree_control", "-"+controller)
	}
}

// pidsOfVersion1 repeats the steps of version 2 in a hierarchy of version 1.
func pidsOfVersion1(p *probe.P) {
	const at = "/tmp/pids"
	must(os.MkdirAll(at, 0o755))
	// The controller is let go by version 2 some time after its last group.
	err := syscall.Mount("cgroup", at, "cgroup", 0, "pids")
	for try := 0; try < 100 && err == syscall.EBUSY; try++ {
		time.Sleep(50 * time.Millisecond)
		err = syscall.Mount("cgroup", at, "cgroup", 0, "pids")
	}
	o := p.Observe("mount")
	o.Returned("mount(cgroup, pids)", 0, errnoOf(err))
	o.Emit()
	if err != nil {
		return
	}
	p.Observe("pids").Child(probe.Child{Name: "pids", Args: []string{at}}).Emit()
	must(syscall.Unmount(at, 0))
}

// memoryGroup starts threads without end in a group that may use little memory.
func memoryGroup(p *probe.P) {
	root := group(version2)
	root.offer("memory")
	g := root.below("limits-memory")
	// A thread takes 16 KiB of the kernel and some pages of its own.
	max := 16 << 20
	if least := 512 * int(p.Page); max < least {
		max = least
	}
	g.put("memory.max", strconv.Itoa(max))
	p.Observe("child").Child(probe.Child{Name: "storm", Args: []string{string(g)}}).Emit()
	o := p.Observe("events").Set("max", g.read("memory.max"))
	for _, counter := range []string{"max", "oom", "oom_kill"} {
		g.count(o, "events."+counter, "memory.events", counter)
	}
	o.Emit()
	newCrowd(p, true, 1).one(p, "recovered")
	g.remove()
}

// storm starts threads until something ends it.
func storm(p *probe.P) {
	g := group(p.Args[0])
	g.mustEnter()
	p.Observe("inside").Set("memory", g.number("memory.current")).Emit()
	const threads = 3000
	startThreads(threads)
	p.Observe("survived").Set("threads", mustNumber(self, "Threads")).Emit()
}
