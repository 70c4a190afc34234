// Package threadstacks observes the memory of the stacks that the Go runtime gave
// to clone, while the threads wait. The stock runtime takes stacks from its heap; a
// variant that maps them differs here.
//
//	threadstacks [once|few|rate|threads]
//
// With once it observes one generation of threads, and with few a small one. With
// rate it observes how fast threads are made instead. With threads it makes some, and observes nothing.
package threadstacks

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/probe"
)

const (
	// wanted is the number of threads at a time. It is more than the Go runtime has
	// itself.
	wanted = 40
	// Few is such a number too. It is enough where all threads do the same.
	Few = 16
	// watched is the number of threads for whoever watches how they are made.
	watched = 10
	// generations is the number of times that threads are made. Later ones get the
	// stacks of those that ended.
	generations = 4
)

// Main runs the probe.
func Main() {
	probe.Run(func(p *probe.P) {
		last, n := generations, wanted
		switch strings.Join(p.Args, " ") {
		case "once":
			last = 1
		case "few":
			last, n = 1, Few
		case "rate":
			rate(p)
			return
		case "threads":
			start(watched, nil)
			return
		}
		for g := 0; g < last; g++ {
			end, down, _ := start(n, nil)
			look(p, fmt.Sprintf("generation %d", g), n, nil)
			if g == last-1 {
				break // they end with the process
			}
			close(end)
			for i := 0; i < n; i++ {
				<-down
			}
		}
	}, nil)
}

// start makes n threads, and returns their IDs. Each calls first, unless that is nil.
// They end after end is closed, and then report on down.
func start(n int, first func()) (end, down chan bool, ids []int) {
	up := make(chan int)
	end, down = make(chan bool), make(chan bool)
	for i := 0; i < n; i++ {
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
			if first != nil {
				first()
			}
			up <- syscall.Gettid()
			<-end
			down <- true
		}()
	}
	for i := 0; i < n; i++ {
		ids = append(ids, <-up)
	}
	return end, down, ids
}

// tries bounds how often the threads are examined until all are seen waiting, and
// pause is the time in between. A thread that was made on another CPU may not be
// waiting yet.
const (
	tries = 200
	pause = 5 * time.Millisecond
)

// look observes the stacks of the threads that wait at this moment, without the older
// ones. It records in how many mappings they are. It also counts the threads with an
// inaccessible page directly below their mapping.
func look(p *probe.P, step string, wanted int, older map[string]bool) {
	o := p.Observe(step)
	defer o.Emit()
	if err := shown(callOfSelf); err != nil {
		o.Unknown("found", err.Error())
		return
	}
	for try := 1; ; try++ {
		dirs, err := os.ReadDir(tasks)
		if err != nil {
			o.Unknown("tasks", err.Error())
			return
		}
		vmas, err := probe.Layout()
		if err != nil {
			o.Unknown("found", err.Error())
			return
		}
		w := waiting(dirs, vmas, older)
		if w.found < wanted && try < tries {
			time.Sleep(pause)
			continue
		}
		o.Set("tasks", len(dirs)).Set("found", w.found).Set("mappings", len(w.mappings))
		o.Set("guarded", w.guarded)
		return
	}
}

// tasks is the folder that has a folder for each thread of this process.
const tasks = "/proc/self/task"

// callOfSelf is the file in which the kernel shows this thread's call. Kernels without
// CONFIG_HAVE_ARCH_TRACEHOOK have no such files.
const callOfSelf = "/proc/self/syscall"

// shown returns why the kernel does not show where threads stand. No stack would be
// found then, however many threads there are.
func shown(file string) error {
	_, err := os.ReadFile(file)
	return err
}

// stood counts the stacks of waiting threads.
type stood struct {
	found, guarded int
	mappings       map[uintptr]bool // by start address
}

func waiting(threads []os.DirEntry, vmas []probe.VMA, older map[string]bool) stood {
	first := strconv.Itoa(os.Getpid())
	w := stood{mappings: map[uintptr]bool{}}
	for _, d := range threads {
		if d.Name() == first || older[d.Name()] {
			continue // the kernel made the first thread's stack
		}
		at, ok := standsAt(tasks + "/" + d.Name() + "/syscall")
		if !ok {
			continue // it is running, or has ended
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
		}
	}
	return w
}

// standsAt returns the stack pointer of a thread that waits in a system call. It is
// the second last of nine words (fs/proc/base.c). The file of a running thread has
// no such words.
func standsAt(path string) (uintptr, bool) {
	// os.ReadFile makes ten system calls for each of the many files.
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer syscall.Close(fd)
	var text [256]byte // a number and eight words of 18 characters
	n, err := syscall.Read(fd, text[:])
	if err != nil {
		return 0, false
	}
	words := strings.Fields(string(text[:n]))
	if len(words) != 9 {
		return 0, false
	}
	at, err := strconv.ParseUint(words[7], 0, 64)
	return uintptr(at), err == nil
}
