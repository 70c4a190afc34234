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
	"time"

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

// tries is how often the threads are looked at until as many wait as were made, and
// pause how long they are given in between: one that was made on another CPU may not
// have come to its wait yet.
const (
	tries = 200
	pause = 5 * time.Millisecond
)

// look observes on what memory the threads stand that wait at this moment: how
// many mappings that is, and how many threads have a page without access directly
// below theirs, or one that is kept from huge pages ("nh").
func look(p *probe.P, step string) {
	o := p.Observe(step)
	defer o.Emit()
	for try := 1; ; try++ {
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
		w := waiting(dirs, vmas)
		if w.found < wanted && try < tries {
			time.Sleep(pause)
			continue
		}
		o.Set("tasks", len(dirs)).Set("found", w.found).Set("mappings", len(w.mappings))
		o.Set("guarded", w.guarded).Set("nh", w.marked)
		return
	}
}

// stood is what threads stand on.
type stood struct {
	found, guarded, marked int
	mappings               map[uintptr]bool // by their start
}

func waiting(tasks []os.DirEntry, vmas []probe.VMA) stood {
	first := strconv.Itoa(os.Getpid())
	w := stood{mappings: map[uintptr]bool{}}
	for _, d := range tasks {
		at, ok := standsAt("/proc/self/task/" + d.Name() + "/syscall")
		if !ok || d.Name() == first {
			continue // it runs at this moment, or has ended; the first one's stack is the kernel's
		}
		for i, v := range vmas {
			if at < v.Start || v.End <= at {
				continue
			}
			w.found++
			w.mappings[v.Start] = true
			if i > 0 && vmas[i-1].End == v.Start && vmas[i-1].Perms == "---p" {
				w.guarded++
			}
			if strings.Contains(" "+v.Fields["VmFlags"]+" ", " nh ") {
				w.marked++
			}
		}
	}
	return w
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
