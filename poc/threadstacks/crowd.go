package threadstacks

import (
	"os"
	"strconv"

	"github.com/mapstack/conformance/poc/probe"
)

// Crowd is the threads of a program that makes more and more of them. They wait until
// the program ends, so that none gets the stack of another.
type Crowd struct {
	older map[string]bool // the threads that the last ones were added to, by ID
}

// Add makes Few new threads, each of which calls first. The runtime may give a
// goroutine a thread that it has to spare: that one counts among the older ones.
func (c *Crowd) Add(first func()) error {
	dirs, err := os.ReadDir(tasks)
	if err != nil {
		return err
	}
	c.older = map[string]bool{}
	for _, d := range dirs {
		c.older[d.Name()] = true
	}
	for fresh := 0; fresh < Few; {
		_, _, ids := start(Few-fresh, first)
		for _, id := range ids {
			if !c.older[strconv.Itoa(id)] {
				fresh++
			}
		}
	}
	return nil
}

// Look observes the stacks of the threads that were added last.
func (c *Crowd) Look(p *probe.P, step string) { look(p, step, Few, c.older) }
