package load

import (
	"runtime"
	"sync"
	"time"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// kind is a load by its name.
type kind struct {
	name  string
	procs int // GOMAXPROCS; 0 for the runtime's own
	needs need
	run   func(p *probe.P, m *meter) error
}

// ordinary is enough for a load of a few goroutines.
var ordinary = need{threads: 16, files: 16, mebibytes: 32}

// kinds returns every load, in the order in which reports show them.
func kinds() []kind {
	all := []kind{
		{"spawn", 0, ordinary, spawn},
		{"pool", 0, ordinary, pool(false)},
		{"pool-gosched", 0, ordinary, pool(true)},
		{"pingpong", 0, ordinary, pingpong},
		{"timers", 0, ordinary, timers},
		{"alloc", 0, need{threads: 16, files: 16, mebibytes: 96}, alloc},
		{"pipe-100", 0, ordinary, overPipes(100)},
		{"pipe-1000", 0, ordinary, overPipes(1000)},
		{"pipe-10000", 0, need{threads: 16, files: 16, mebibytes: 160}, overPipes(10000)},
		{"loopback-100", 0, need{threads: 16, files: 116, mebibytes: 32}, overLoopback(100)},
		{"loopback-1000", 0, need{threads: 16, files: 1016, mebibytes: 48}, overLoopback(1000)},
		{"loopback-10000", 0, need{threads: 16, files: 10016, mebibytes: 224}, overLoopback(10000)},
		{"syscalls", 0, need{threads: sleepers + 16, files: 16, mebibytes: 64}, syscalls},
		{"threads", 0, need{threads: 64, files: 16, mebibytes: 64}, threadsMade},
	}
	for _, n := range []int{1, 2, 4, 8} {
		all = append(all, kind{"procs-" + string(rune('0'+n)), n, ordinary, pool(false)})
	}
	for _, n := range []int{1, 2, 4, 8} {
		all = append(all, kind{"spin-" + string(rune('0'+n)), n, ordinary, spin})
	}
	return append(all, stacks()...)
}

// batch is how many operations of less than a microsecond are timed together: reading the
// clock takes as long as one of them.
const batch = 64

// spawn makes goroutines that end at once. An operation is from the go statement to the end.
func spawn(_ *probe.P, m *meter) error {
	m.each(runtime.GOMAXPROCS(0), func(who int) {
		var made sync.WaitGroup
		for !m.over() {
			made.Add(batch)
			for i := 0; i < batch; i++ {
				began := time.Now()
				go func() {
					m.did(who, began, 1)
					made.Done()
				}()
			}
			made.Wait()
		}
	})
	return nil
}

const (
	workers = 16
	clients = 128
)

// pool has a fixed number of workers do the tasks of many clients. Each client calls Gosched
// before each task: else it would take turns with a worker for 10 ms before the others run. An
// operation is from one result to the next, so that a client waits in it wherever it waits. With
// yields, a worker calls Gosched after each task too.
func pool(yields bool) func(*probe.P, *meter) error {
	return func(_ *probe.P, m *meter) error {
		tasks := make(chan chan uint32)
		var ended sync.WaitGroup
		ended.Add(workers)
		for i := 0; i < workers; i++ {
			go func() {
				defer ended.Done()
				for result := range tasks {
					result <- work()
					if yields {
						runtime.Gosched()
					}
				}
			}()
		}
		m.each(clients, func(who int) {
			result := make(chan uint32, 1)
			for began := time.Now(); !m.over(); began = m.did(who, began, 1) {
				runtime.Gosched()
				tasks <- result
				<-result
			}
		})
		close(tasks)
		ended.Wait()
		return nil
	}
}

// work computes for some microseconds: FNV-1a of 2,048 bytes.
//
//go:noinline
func work() uint32 {
	hash := uint32(2166136261)
	for i := uint32(0); i < 2048; i++ {
		hash = (hash ^ i&0xff) * 16777619
	}
	return hash
}

// spinners is the number of goroutines of spin: several for each P that any of its loads has.
const spinners = 32

// spin has goroutines compute that never wait, so that every P always has one to run. The threads
// that run at once are counted.
func spin(_ *probe.P, m *meter) error {
	m.running = &running{}
	defer m.running.close()
	m.each(spinners, func(who int) {
		last := uint32(0)
		for began := time.Now(); !m.over(); began = m.did(who, began, 1) {
			last = work()
		}
		runtime.KeepAlive(last)
	})
	return nil
}

// pingpong sends a value to another goroutine and back.
func pingpong(_ *probe.P, m *meter) error {
	there, back := make(chan bool), make(chan bool)
	go func() {
		for range there {
			back <- true
		}
	}()
	m.each(1, func(who int) {
		for began := time.Now(); !m.over(); began = m.did(who, began, batch) {
			for i := 0; i < batch; i++ {
				there <- true
				<-back
			}
		}
	})
	close(there)
	return nil
}

const (
	waiters = 200
	wait    = 10 * time.Millisecond
)

// timers has many goroutines sleep. An operation is how much too late one wakes up; their
// number is bounded by how often they sleep.
func timers(_ *probe.P, m *meter) error {
	m.each(waiters, func(who int) {
		for !m.over() {
			due := time.Now().Add(wait)
			time.Sleep(wait)
			m.did(who, due, 1)
		}
	})
	return nil
}

// object has a pointer, so that the collector must look at it.
type object struct {
	name []byte
	_    [1000]byte
}

// held is how many objects each goroutine of alloc keeps: about 4 MiB.
const held = 4096

// alloc makes garbage while some objects live, so that the collector runs all the time.
func alloc(_ *probe.P, m *meter) error {
	m.each(runtime.GOMAXPROCS(0), func(who int) {
		live, next := make([]*object, held), 0
		for began := time.Now(); !m.over(); began = m.did(who, began, batch) {
			for i := 0; i < batch; i++ {
				live[next] = &object{name: make([]byte, 64)}
				next = (next + 1) % held
			}
		}
		runtime.KeepAlive(live)
	})
	return nil
}

const (
	sleepers = 64
	nap      = 20 * time.Millisecond
)

// syscalls has goroutines wait in the kernel, as reading a file or a call of C would. They wait
// for so long that all of them do so at the same time, although the runtime notices only after a
// while that one does. An operation is how much too late a wait ends.
func syscalls(_ *probe.P, m *meter) error {
	m.each(sleepers, func(who int) {
		for !m.over() {
			due := time.Now().Add(nap)
			limit.Pause(nap)
			m.did(who, due, 1)
		}
	})
	return nil
}

// threadsMade makes threads, one after another, that end at once. An operation is from the go
// statement until the goroutine runs on the new thread.
func threadsMade(_ *probe.P, m *meter) error {
	m.each(1, func(who int) {
		up := make(chan bool)
		for began := time.Now(); !m.over(); began = m.did(who, began, 1) {
			go func() {
				runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
				up <- true
			}()
			<-up
		}
	})
	return nil
}
