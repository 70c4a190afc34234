// Package newosproc observes what happens to a Go program for which the kernel
// makes no more threads. For each cause it drives a program into "failed to create
// new OS thread", and runs it again when the cause is gone. It also records the
// system calls by which the Go runtime makes a thread.
package newosproc

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// Main runs the probe.
func Main() {
	probe.Run(run, map[string]func(*probe.P){
		"victim": victim, "traced": traced,
		"single": single, "stacks": stacks, "exits": exits, "maximum": maximum, "clone3": clone3, "starved": starve,
	})
}

func run(p *probe.P) {
	// Limits of the machine apply to this process too.
	limit.Prewarm()
	whole := limit.WholeMachine()
	p.Observe("machine").Set("ours", whole).Emit()
	mends := mended(p.Kernel.Table) != ""
	p.Observe("runtime").Set("mended", mends).Emit()
	for _, c := range causes() {
		if c.stock && !mends {
			continue // without a mended runtime all causes use the stock one
		}
		if c.machine() && !whole {
			const why = "not tried: it lowers a limit of the whole machine, which others use"
			p.Observe(c.name).Unknown("watched", why).Emit()
			continue
		}
		meet(p, c)
	}
	startups(p)
	chain(p, "chain", "")
	for _, variant := range []string{"strict", "fallback"} {
		chain(p, variant, filepath.Join(filepath.Dir(os.Args[0]), "threadstacks-"+variant))
	}
	p.Observe("single").Child(probe.Child{Name: "single", Env: []string{"GOMAXPROCS=1"}}).Emit()
	for _, name := range []string{"stacks", "exits", "maximum", "clone3"} {
		p.Observe(name).Child(probe.Child{Name: name}).Emit()
	}
}

// absent returns why the system cannot have a cause, or "" if it can. root is the
// folder of control groups of version 2, sysctls that of /proc/sys.
func (c cause) absent(root, sysctls string) string {
	if c.sysctl != "" {
		if _, err := os.Stat(filepath.Join(sysctls, c.sysctl)); os.IsNotExist(err) {
			return filepath.Join(sysctls, c.sysctl) + " does not exist"
		}
	}
	if c.controller == "" {
		return ""
	}
	file := filepath.Join(root, "cgroup.controllers")
	offered, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return file + " does not exist"
	}
	if err != nil {
		return "" // what it would have said shows when the group is made
	}
	for _, name := range strings.Fields(string(offered)) {
		if name == c.controller {
			return ""
		}
	}
	return fmt.Sprintf("%s has %q, without %s", file, strings.TrimSpace(string(offered)), c.controller)
}

// venue is where a cause is tried.
type venue struct {
	inner, limited limit.Group // of the program, and the one with the limit
	sysctl         *limit.Sysctl
	undo           []func()
}

// restore undoes what prepare did, the latest first.
func (at *venue) restore() {
	for i := len(at.undo) - 1; i >= 0; i-- {
		at.undo[i]()
	}
}

// lift removes the limit of a cause.
func (at *venue) lift(c cause) {
	if at.sysctl != nil {
		at.sysctl.Restore()
	}
	if at.limited != "" {
		at.limited.Put(c.controller+".max", "max")
	}
}

// prepare makes the control groups of a cause and saves its sysctl. What cannot be
// prepared is an error, and what was prepared before is undone.
func prepare(c cause) (at *venue, err error) {
	at = &venue{}
	defer func() {
		if r := recover(); r != nil {
			at.restore()
			err = fmt.Errorf("%v", r)
		}
	}()
	if c.sysctl != "" {
		at.sysctl = limit.MustOpen(c.sysctl)
		at.undo = append(at.undo, at.sysctl.Restore)
		// While the limit binds this process too, it must need no more memory.
		runtime.GC()
	}
	if c.controller != "" {
		at.groups(c)
	}
	return at, nil
}

// groups makes the control groups of a cause. The one of the program is the one with
// the limit, unless the cause is nested.
func (at *venue) groups(c cause) {
	root := limit.Group(limit.Version2)
	at.undo = append(at.undo, root.Offer(c.controller))
	at.limited = root.Below("newosproc-" + c.name)
	at.undo = append(at.undo, at.limited.Clear)
	at.inner = at.limited
	if c.nested {
		at.limited.Offer(c.controller)
		at.inner = at.limited.Below("inner")
		at.undo = append(at.undo, at.inner.Clear)
	}
}

// lookup returns the cause that this process runs in.
func lookup(p *probe.P) cause {
	for _, c := range causes() {
		if c.name == p.Args[0] {
			return c
		}
	}
	panic(fmt.Sprintf("there is no cause %q", p.Args[0]))
}
