// Command threadstacks observes what memory the threads of a Go program stand on
// while they wait: the stacks that the runtime gave clone. The stock runtime
// takes them from its heap; a variant that maps them shows here.
//
//	threadstacks [once|rate]
//
// With once it observes one generation of threads, with rate how fast threads are
// made instead.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/poc/probe"
)

const (
	// wanted is how many threads are wanted at a time: more than the Go runtime
	// has itself.
	wanted = 40
	// generations is how often they end and others follow, which get the stacks
	// of those that ended.
	generations = 4
)

func main() {
	probe.Run(func(p *probe.P) {
		last := generations
		switch strings.Join(p.Args, " ") {
		case "once":
			last = 1
		case "rate":
			rate(p)
			return
		}
		for g := 0; g < last; g++ {
			end, down := start()
			look(p, fmt.Sprintf("generation %d", g))
			close(end)
			for i := 0; i < wanted; i++ {
				<-down
			}
		}
	}, nil)
}

// start makes threads, which end after end is closed and say so.
func start() (end, down chan bool) {
	up := make(chan bool)
	end, down = make(chan bool), make(chan bool)
	for i := 0; i < wanted; i++ {
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with this
			up <- true
			<-end
			down <- true
		}()
		<-up
	}
	return end, down
}

// look observes on what memory the threads stand that wait at this moment: how
// many mappings that is, and how many threads have a page without access directly
// below theirs, or one that is kept from huge pages ("nh").
func look(p *probe.P, step string) {
	o := p.Observe(step)
	defer o.Emit()
	dirs, err := os.ReadDir("/proc/self/task")
	if err != nil {
		o.Unknown("tasks", err.Error())
		return
	}
	vmas, err := probe.Mappings()
	if err != nil {
		o.Unknown("found", err.Error())
		return
	}
	first := strconv.Itoa(os.Getpid())
	found, guarded, marked, distinct := 0, 0, 0, map[uintptr]bool{}
	for _, d := range dirs {
		at, ok := standsAt("/proc/self/task/" + d.Name() + "/syscall")
		if !ok || d.Name() == first {
			continue // it runs at this moment, or has ended; the first one's stack is the kernel's
		}
		for i, v := range vmas {
			if at < v.Start || v.End <= at {
				continue
			}
			found++
			distinct[v.Start] = true
			if i > 0 && vmas[i-1].End == v.Start && vmas[i-1].Perms == "---p" {
				guarded++
			}
			if strings.Contains(" "+v.Fields["VmFlags"]+" ", " nh ") {
				marked++
			}
		}
	}
	o.Set("tasks", len(dirs)).Set("found", found).Set("mappings", len(distinct))
	o.Set("guarded", guarded).Set("nh", marked)
}

// standsAt is the stack pointer of a thread that waits in a system call: the
// second last of nine words (fs/proc/base.c), of a running one there are none.
func standsAt(path string) (uintptr, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	words := strings.Fields(string(text))
	if len(words) != 9 {
		return 0, false
	}
	var at uintptr
	if _, err := fmt.Sscanf(words[7], "0x%x", &at); err != nil {
		return 0, false
	}
	return at, true
}
