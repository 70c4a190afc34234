package load

import (
	"sync"
	"sync/atomic"
	"time"
)

// Phases of a measurement.
const (
	warming uint32 = iota
	measuring
	over
)

const (
	// warm is how long a load runs at least before it is measured: stacks grow, threads are
	// made, and an emulator translates the code. It then runs on until it has ended as many
	// operations as it has goroutines, but not for longer than warmest.
	warm    = 100 * time.Millisecond
	warmest = 5 * time.Second
	// tick is how often the threads are counted.
	tick = 5 * time.Millisecond
	// parts is the number of histograms that the goroutines of a load share. Each has a
	// few KiB, so that 10,000 goroutines cannot have one of their own.
	parts = 16
)

// meter counts the operations of one load and what they cost.
type meter struct {
	phase  uint32
	warmed uint32        // operations that ended before the measurement
	span   time.Duration // to measure
	parts  [parts]Histogram

	elapsed       time.Duration // that was measured
	before, after usage
	idle, most    int // threads before the load and the most that were seen
}

// over reports whether the goroutines of a load must end.
func (m *meter) over() bool { return atomic.LoadUint32(&m.phase) == over }

// did counts n operations that began together and have just ended. Each then took an n-th
// of the time. who is the number of the goroutine. It returns the time.
func (m *meter) did(who int, began time.Time, n int) time.Time {
	now := time.Now()
	switch atomic.LoadUint32(&m.phase) {
	case warming:
		atomic.AddUint32(&m.warmed, uint32(n))
	case measuring:
		m.parts[who%parts].Record(int64(now.Sub(began))/int64(n), uint64(n))
	}
	return now
}

// each runs a function in n goroutines, measures them, and waits for their end.
func (m *meter) each(n int, run func(who int)) {
	var all sync.WaitGroup
	all.Add(n)
	begin := make(chan bool) // whoever began early would keep this goroutine from making the others
	for i := 0; i < n; i++ {
		go func(who int) {
			defer all.Done()
			<-begin
			run(who)
		}(i)
	}
	close(begin)
	m.observe(uint32(n))
	all.Wait()
}

// observe lets a load of n goroutines warm up, and then looks at it for the time of the
// measurement.
func (m *meter) observe(n uint32) {
	threads := newThreads()
	defer threads.close()
	made := time.Now()
	for time.Sleep(warm); atomic.LoadUint32(&m.warmed) < n && time.Since(made) < warmest; {
		time.Sleep(tick)
	}
	m.before = look()
	began := time.Now()
	atomic.StoreUint32(&m.phase, measuring)
	for left := m.span; left > 0; left = m.span - time.Since(began) {
		if left > tick {
			left = tick
		}
		time.Sleep(left)
		if n := threads.count(); n > m.most {
			m.most = n
		}
	}
	atomic.StoreUint32(&m.phase, over)
	m.elapsed = time.Since(began)
	m.after = look()
}

// durations returns what the goroutines recorded. They must have ended.
func (m *meter) durations() *Histogram {
	var all Histogram
	for i := range m.parts {
		all.Add(&m.parts[i])
	}
	return &all
}
