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
	// made, and an emulator translates the code.
	warm = 100 * time.Millisecond
	// more is how much longer it warms up, and is measured, until it has ended as many
	// operations as it has goroutines. Else the slow ones would not be counted at all.
	more = 5 * time.Second
	// tick is how often the threads are counted.
	tick = 5 * time.Millisecond
	// parts is the number of histograms that the goroutines of a load share. Each has a
	// few KiB, so that 10,000 goroutines cannot have one of their own.
	parts = 16
)

// meter counts the operations of one load and what they cost.
type meter struct {
	phase uint32
	ended [over]uint64  // operations, by the phase in which they ended
	span  time.Duration // to measure
	parts [parts]Histogram

	elapsed       time.Duration // that was measured
	before, after usage
	idle, most    int // threads before the load and the most that were seen

	// running counts the threads that run at once; nil for a load where that says nothing.
	// atOnce is the most that were seen, in looks looks.
	running       *running
	atOnce, looks int

	// late ends goroutines that have not ended by themselves some time after the measurement;
	// nil for none.
	late func()
}

// grace is how long the goroutines of a load may take to end before late is called.
const grace = 5 * time.Second

// over reports whether the goroutines of a load must end.
func (m *meter) over() bool { return atomic.LoadUint32(&m.phase) == over }

// did counts n operations that began together and have just ended. Each then took an n-th
// of the time. who is the number of the goroutine. It returns the time.
func (m *meter) did(who int, began time.Time, n int) time.Time {
	now := time.Now()
	phase := atomic.LoadUint32(&m.phase)
	if phase == over {
		return now
	}
	atomic.AddUint64(&m.ended[phase], uint64(n))
	if phase == measuring {
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
	m.observe(uint64(n))
	if m.late != nil {
		defer time.AfterFunc(grace, m.late).Stop()
	}
	all.Wait()
}

// observe lets a load of n goroutines warm up, and then looks at it for the time of the
// measurement.
func (m *meter) observe(n uint64) {
	threads := newThreads()
	defer threads.close()
	m.pass(warming, warm, n, func() {})
	m.before = look()
	began := time.Now()
	atomic.StoreUint32(&m.phase, measuring)
	m.pass(measuring, m.span, n, func() {
		now := threads.count()
		if now > m.most {
			m.most = now
		}
		if m.running == nil {
			return
		}
		if n := m.running.count(now); n > 0 {
			m.looks++
			if n > m.atOnce {
				m.atOnce = n
			}
		}
	})
	atomic.StoreUint32(&m.phase, over)
	m.elapsed = time.Since(began)
	m.after = look()
}

// pass waits for a time, and then for a while until n operations have ended in the phase. It
// calls look at every tick.
func (m *meter) pass(phase uint32, span time.Duration, n uint64, look func()) {
	began := time.Now()
	for {
		left := span - time.Since(began)
		switch {
		case left > tick:
			left = tick
		case left > 0:
		case left < -more || atomic.LoadUint64(&m.ended[phase]) >= n:
			return
		default:
			left = tick
		}
		time.Sleep(left)
		look()
	}
}

// durations returns what the goroutines recorded. They must have ended.
func (m *meter) durations() *Histogram {
	var all Histogram
	for i := range m.parts {
		all.Add(&m.parts[i])
	}
	return &all
}
