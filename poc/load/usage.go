package load

import (
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// usage is what this process, and all of them together, have used up to a moment.
type usage struct {
	own   syscall.Rusage
	mem   runtime.MemStats
	sched *metrics.Float64Histogram // seconds that goroutines waited for a P; nil if not known
	ticks []uint64                  // of all CPUs, by what they did; nil if not known
}

// schedLatencies is the metric that Go has since 1.17.
const schedLatencies = "/sched/latencies:seconds"

func look() (u usage) {
	runtime.ReadMemStats(&u.mem)
	sample := []metrics.Sample{{Name: schedLatencies}}
	if metrics.Read(sample); sample[0].Value.Kind() == metrics.KindFloat64Histogram {
		u.sched = sample[0].Value.Float64Histogram()
	}
	if b, err := os.ReadFile("/proc/stat"); err == nil {
		u.ticks = ticksOf(string(b))
	}
	limit.Must(syscall.Getrusage(syscall.RUSAGE_SELF, &u.own))
	return u
}

// cpu returns the time that this process has run.
func (u usage) cpu() time.Duration { return time.Duration(u.own.Utime.Nano() + u.own.Stime.Nano()) }

// Fields of the first line of /proc/stat (proc(5)).
const (
	idleTicks, waitTicks, stolenTicks = 3, 4, 7
	allTicks                          = 8 // the time of guests is in that of users
)

// ticksOf reads the first line of /proc/stat; nil if it is not as expected.
func ticksOf(text string) (ticks []uint64) {
	f := strings.Fields(strings.SplitN(text, "\n", 2)[0])
	if len(f) <= allTicks || f[0] != "cpu" {
		return nil
	}
	for _, word := range f[1 : 1+allTicks] {
		n, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return nil
		}
		ticks = append(ticks, n)
	}
	return ticks
}

// shares returns which part of the CPUs' time was used, and which part a hypervisor took
// away, between two readings; false if that is not known.
func shares(before, after []uint64) (used, stolen float64, known bool) {
	if before == nil || after == nil {
		return 0, 0, false
	}
	total, idle := 0.0, 0.0
	for i := range before {
		spent := float64(after[i]) - float64(before[i])
		if spent < 0 {
			spent = 0 // the time of idle CPUs may go backwards (proc(5))
		}
		total += spent
		switch i {
		case idleTicks, waitTicks:
			idle += spent
		case stolenTicks:
			stolen = spent
		}
	}
	if total == 0 {
		return 0, 0, false // too short for a tick
	}
	return (total - idle - stolen) / total, stolen / total, true
}

// report records what was measured. Times are in ns.
func (m *meter) report(o *probe.Obs) {
	h := m.durations()
	o.Set("ops", h.Count()).Set("ns", m.elapsed.Nanoseconds())
	o.Set("p50", h.Quantile(0.5)).Set("p99", h.Quantile(0.99)).Set("p999", h.Quantile(0.999)).Set("longest", h.Longest())
	o.Set("threads.idle", m.idle).Set("threads.most", m.most)
	o.Set("gomaxprocs", runtime.GOMAXPROCS(0)).Set("cpus", runtime.NumCPU())
	if m.looks > 0 {
		o.Set("running.most", m.atOnce).Set("running.looks", m.looks)
	}
	b, a := m.before, m.after
	o.Set("switches.voluntary", int64(a.own.Nvcsw-b.own.Nvcsw)).Set("switches.involuntary", int64(a.own.Nivcsw-b.own.Nivcsw))
	o.Set("faults.minor", int64(a.own.Minflt-b.own.Minflt)).Set("faults.major", int64(a.own.Majflt-b.own.Majflt))
	o.Set("cpu.user", a.own.Utime.Nano()-b.own.Utime.Nano()).Set("cpu.system", a.own.Stime.Nano()-b.own.Stime.Nano())
	pauses := pausesBetween(&b.mem, &a.mem)
	o.Set("gc.count", a.mem.NumGC-b.mem.NumGC).Set("gc.p50", rank(pauses, 0.5)).Set("gc.p99", rank(pauses, 0.99)).Set("gc.longest", rank(pauses, 1))
	if b.sched == nil || a.sched == nil {
		o.Unknown("sched.p50", "this Go has no metric "+schedLatencies).Unknown("sched.p99", "this Go has no metric "+schedLatencies)
	} else {
		o.Set("sched.p50", between(b.sched, a.sched, 0.5)).Set("sched.p99", between(b.sched, a.sched, 0.99))
	}
	used, stolen, known := shares(b.ticks, a.ticks)
	if !known {
		o.Unknown("others.cpu", "/proc/stat does not say it").Unknown("stolen.cpu", "/proc/stat does not say it")
		return
	}
	all := float64(m.elapsed.Nanoseconds()) * float64(runtime.NumCPU())
	others := used*all - float64(a.cpu()-b.cpu())
	if others < 0 {
		others = 0 // ticks are coarse
	}
	o.Set("others.cpu", int64(others)).Set("stolen.cpu", int64(stolen*all))
}

// pausesBetween returns the pauses of the collections between two readings, sorted. The
// runtime keeps the last 256.
func pausesBetween(before, after *runtime.MemStats) (pauses []uint64) {
	first, size := before.NumGC, uint32(len(after.PauseNs))
	if after.NumGC-first > size {
		first = after.NumGC - size
	}
	for n := first; n < after.NumGC; n++ {
		pauses = append(pauses, after.PauseNs[n%size])
	}
	sort.Slice(pauses, func(i, j int) bool { return pauses[i] < pauses[j] })
	return pauses
}

// rank returns the smallest of sorted numbers that the part q of them does not exceed; 0 if
// there are none.
func rank(sorted []uint64, q float64) uint64 {
	if len(sorted) == 0 {
		return 0
	}
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	if i < 0 {
		i = 0
	}
	return sorted[i]
}

// between returns the quantile in ns of what a histogram of seconds counted between two
// readings: the end of a bucket, or its beginning if it has no end.
func between(before, after *metrics.Float64Histogram, q float64) int64 {
	total := uint64(0)
	for i := range after.Counts {
		total += after.Counts[i] - before.Counts[i]
	}
	want, seen := uint64(math.Ceil(q*float64(total))), uint64(0)
	for i := range after.Counts {
		n := after.Counts[i] - before.Counts[i]
		if seen += n; n == 0 || seen < want {
			continue
		}
		end := after.Buckets[i+1]
		if math.IsInf(end, 1) {
			end = after.Buckets[i]
		}
		return int64(end * 1e9)
	}
	return 0
}

// threads counts the threads of this process.
type threads struct {
	fd   int // of /proc/self/status; a user-mode emulator makes up /proc/self/stat
	text [4 << 10]byte
}

func newThreads() *threads {
	fd, err := syscall.Open(limit.Self, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	limit.Must(err)
	return &threads{fd: fd}
}

func (t *threads) close() { syscall.Close(t.fd) }

// count returns how many there are now.
func (t *threads) count() int {
	n, err := syscall.Pread(t.fd, t.text[:], 0)
	limit.Must(err)
	return threadsIn(string(t.text[:n]))
}

// threadsIn returns the number of threads in the text of /proc/self/status; 0 if it is not there.
func threadsIn(text string) int {
	const key = "\nThreads:"
	at := strings.Index(text, key)
	if at < 0 {
		return 0
	}
	f := strings.Fields(text[at+len(key):])
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(f[0]) // 0 for what is no number
	return n
}
