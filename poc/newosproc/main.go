// Command newosproc observes what happens to a Go program for which the kernel
// makes no more threads. For each cause it drives a program into "failed to create
// new OS thread", and runs it again when the cause is gone. It also records the
// system calls by which the Go runtime makes a thread.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

func main() {
	probe.Run(run, map[string]func(*probe.P){
		"watch": watch, "victim": victim, "chain": chain, "traced": traced,
		"single": single, "stacks": stacks, "exits": exits, "maximum": maximum, "clone3": clone3,
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
			p.Observe(c.name).Unknown("exit", why).Unknown("timedout", why).Emit()
			continue
		}
		meet(p, c)
	}
	p.Observe("chain").Child(probe.Child{Name: "chain"}).Emit()
	for _, variant := range []string{"strict", "fallback"} {
		program := filepath.Join(filepath.Dir(os.Args[0]), "threadstacks-"+variant)
		p.Observe(variant).Child(probe.Child{Name: "chain", Args: []string{program}}).Emit()
	}
	p.Observe("single").Child(probe.Child{Name: "single", Env: []string{"GOMAXPROCS=1"}}).Emit()
	for _, name := range []string{"stacks", "exits", "maximum", "clone3"} {
		p.Observe(name).Child(probe.Child{Name: name}).Emit()
	}
}

// meet runs one cause. It restores what the cause changes on the machine, however
// the process ends.
func meet(p *probe.P, c cause) {
	child := probe.Child{Name: "watch", Args: []string{c.name}, Limit: watchLimit}
	if c.sysctl != "" {
		s := limit.MustOpen(c.sysctl)
		defer s.Restore()
	}
	if c.controller != "" {
		inner, limited, remove := groups(c)
		defer remove()
		child.Args = append(child.Args, string(inner), string(limited))
	}
	p.Observe(c.name).Child(child).Emit()
}

// groups makes the control groups of a cause: that of the program, and the one with
// the limit. They are the same unless the cause is nested.
func groups(c cause) (inner, limited limit.Group, remove func()) {
	root := limit.Group(limit.Version2)
	withdraw := root.Offer(c.controller)
	limited = root.Below("newosproc-" + c.name)
	if !c.nested {
		return limited, limited, func() { limited.Clear(); withdraw() }
	}
	limited.Offer(c.controller)
	inner = limited.Below("inner")
	return inner, limited, func() { inner.Clear(); limited.Clear(); withdraw() }
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
