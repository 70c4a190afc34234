package load

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/metrics"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

func here(t *testing.T) *probe.P {
	t.Helper()
	k, err := sys.Running()
	if err != nil {
		t.Fatal(err)
	}
	return &probe.P{Kernel: k}
}

// TestEveryLoadRunsAndEnds fails if a load counts nothing, or leaves goroutines behind that
// would disturb what is measured after it.
func TestEveryLoadRunsAndEnds(t *testing.T) {
	p := here(t)
	procs := runtime.GOMAXPROCS(0)
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			if l := room(p, k.needs); l != nil {
				t.Skipf("this machine has too little room: %+v", *l)
			}
			if k.procs > 0 {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(k.procs))
			}
			before := runtime.NumGoroutine()
			m := &meter{span: 20 * time.Millisecond}
			if err := k.run(p, m); err != nil {
				t.Fatal(err)
			}
			h := m.durations()
			if h.Count() == 0 || m.elapsed < m.span || m.most < 1 || h.Quantile(0.5) > h.Longest() {
				t.Errorf("%d operations in %v, at most %d threads", h.Count(), m.elapsed, m.most)
			}
			for try := 0; runtime.NumGoroutine() > before && try < 1000; try++ {
				time.Sleep(time.Millisecond) // one that has said that it ends may not have ended
			}
			if after := runtime.NumGoroutine(); after > before {
				t.Errorf("%d goroutines were left", after-before)
			}
		})
	}
	if runtime.GOMAXPROCS(0) != procs {
		t.Errorf("GOMAXPROCS is %d and was %d", runtime.GOMAXPROCS(0), procs)
	}
}

// TestWaitingInTheKernelTakesThreads fails if the threads of goroutines that wait in a system
// call are not seen.
func TestWaitingInTheKernelTakesThreads(t *testing.T) {
	m := &meter{span: 50 * time.Millisecond}
	if err := syscalls(nil, m); err != nil {
		t.Fatal(err)
	}
	if m.most <= runtime.GOMAXPROCS(0)+2 {
		t.Errorf("%d threads were seen, and %d goroutines wait in the kernel", m.most, sleepers)
	}
}

// TestThreadsThatRunAtOnceAreCounted fails if the count is that of the CPUs or of all threads, and
// not that of the threads that the runtime lets run.
func TestThreadsThatRunAtOnceAreCounted(t *testing.T) {
	seen := map[int]int{}
	for _, k := range kinds() {
		if !strings.HasPrefix(k.name, "spin-") {
			continue
		}
		// On a busy host nobody may look, and not all threads may be seen, in a short time.
		var m *meter
		for span := 200 * time.Millisecond; m == nil || (m.looks == 0 || m.atOnce < k.procs) && span < 20*time.Second; span *= 2 {
			m = &meter{span: span}
			before := runtime.GOMAXPROCS(k.procs)
			err := k.run(nil, m)
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatalf("%s: %v", k.name, err)
			}
		}
		if m.looks == 0 {
			t.Fatalf("%s: nobody looked", k.name)
		}
		seen[k.procs] = m.atOnce
	}
	if len(seen) != 4 || seen[1] > 1+2*stopping || seen[8] < 8 || seen[8] > 8+2*stopping {
		t.Errorf("threads that ran at once, by GOMAXPROCS: %v", seen)
	}
	for text, want := range map[string]byte{"7 (a) R 1": 'R', "7 (a) R) S 1": 'S', "7 (a)": 0, "7 (a)R": 0, "": 0, "R": 0} {
		if got := stateIn([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// stopping is how many threads more may be in state R: the runtime's monitor, and one that has
// just given up its P. On a busy host more of them are on their way to sleep.
const stopping = 2

// TestWhatMayBeUsedIsAsked fails if the mask or the quota is another than the kernel has.
func TestWhatMayBeUsedIsAsked(t *testing.T) {
	if n, known := allowed(); !known || n != runtime.NumCPU() {
		t.Errorf("%d CPUs, %v; the runtime says %d", n, known, runtime.NumCPU())
	}
	root := t.TempDir()
	for name, text := range map[string]string{"two/cpu.max": "250000 100000\n", "two/a/cpu.max": "max 100000\n", "two/b/cpu.max": "150000 100000\n",
		"one/cpu.cfs_quota_us": "-1\n", "one/a/cpu.cfs_quota_us": "50000\n", "one/a/cpu.cfs_period_us": "100000\n", "odd/cpu.max": "1 0\n"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for group, want := range map[string]int{"/two/a": 2500, "/two/b": 1500, "/one": 0, "/one/a": 500, "/odd": 0, "/none": 0} {
		if got, limited := quotaIn(root, group); got != want || limited != (want > 0) {
			t.Errorf("%s: %d, %v, want %d", group, got, limited, want)
		}
	}
}

// TestSlowOperationsAreCountedToo fails if a measurement ends before goroutines have been served,
// so that only the fast ones are in the quantiles.
func TestSlowOperationsAreCountedToo(t *testing.T) {
	const n = 7
	m := &meter{span: time.Millisecond}
	m.each(n, func(who int) {
		for began := time.Now(); !m.over(); began = m.did(who, began, 1) {
			time.Sleep(20 * time.Millisecond)
		}
	})
	if h := m.durations(); h.Count() < n || m.ended[warming] < n {
		t.Errorf("%d of %d goroutines were measured, %d warmed up", h.Count(), n, m.ended[warming])
	}
}

// TestOnlyWhatIsAskedForRuns fails if a mistyped name or time gives a measurement of something
// else.
func TestOnlyWhatIsAskedForRuns(t *testing.T) {
	for args, want := range map[string]string{
		"pool": "pool 300ms", "procs-4 1": "procs-4 1ms", "spawn 60000": "spawn 1m0s",
		"": "usage", "none": "usage", "pool 1 2": "usage", "pool 0": "no number", "pool 60001": "no number", "pool x": "no number",
	} {
		k, span, err := asked(strings.Fields(args))
		got := fmt.Sprint(k.name, " ", span)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
	seen := map[string]bool{}
	for _, name := range Names() {
		if seen[name] || name == Machine {
			t.Errorf("two loads are named %q", name)
		}
		seen[name] = true
	}
}

// TestALimitThatIsTooLowIsNamed fails if a load begins where a limit leaves too little, or does
// not begin where there is room.
func TestALimitThatIsTooLowIsNamed(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a/pids.max", "100\n")
	write("a/pids.current", "40\n")
	write("a/b/pids.max", "max\n")
	write("a/b/pids.current", "7\n")
	write("a/memory.max", "1048576000\n") // 1000 MiB
	write("a/memory.current", "996147200\n")
	write("a/memory.stat", "anon 52428800\ninactive_file 524288000\n")
	tasks := count{"pids.max", "pids.current", ""}
	if l := tasks.above(root, "/a/b", 1, 60); l != nil {
		t.Errorf("60 of 60 tasks: %+v", l)
	}
	if l := tasks.above(root, "/a/b", 1, 61); l == nil || *l != (lack{filepath.Join(root, "a", "pids.max"), 60, 61}) {
		t.Errorf("61 of 60 tasks: %+v", l)
	}
	if l := tasks.above(root, "/elsewhere", 1, 1<<40); l != nil {
		t.Errorf("a group without a limit: %+v", l)
	}
	memory := count{"memory.max", "memory.current", "inactive_file"}
	if l := memory.above(root, "/a/b", 1<<20, 550); l != nil {
		t.Errorf("550 of 550 MiB: %+v", l)
	}
	if l := memory.above(root, "/a/b", 1<<20, 551); l == nil || l.free != 550 {
		t.Errorf("551 of 550 MiB: %+v", l)
	}
	if l := room(here(t), need{threads: 1 << 30}); l == nil || l.needs != 1<<30+spare {
		t.Errorf("more threads than any machine has: %+v", l)
	}
	if l := room(here(t), need{mebibytes: 1 << 30}); l == nil {
		t.Error("more memory than any machine has")
	}
	if tasksOf(os.Getuid()) < 1 {
		t.Error("this process is not counted")
	}
}

func TestTheOwnGroupIsFound(t *testing.T) {
	const text = "12:pids,cpu:/system.slice/a\n4:memory:/m/../x\n0::/user.slice/b\n"
	for _, c := range []struct {
		controller string
		version    int
		want       string
	}{{"pids", 1, "/system.slice/a"}, {"memory", 1, "/x"}, {"pids", 2, "/user.slice/b"}, {"io", 1, "/"}} {
		if got := groupIn(text, c.controller, c.version); got != c.want {
			t.Errorf("%s of version %d: %s, want %s", c.controller, c.version, got, c.want)
		}
	}
}

// TestARefusedCallIsNoMeasurement fails if a kernel without TCP gives a number, or ends the
// probe.
func TestARefusedCallIsNoMeasurement(t *testing.T) {
	refused := failed("connect(127.0.0.1)", syscall.ENETUNREACH)
	served := 0
	err := requests(&meter{}, 8, func() {}, func() (end, end, error) {
		if served++; served == 3 {
			return nil, nil, refused
		}
		return quiet{}, quiet{}, nil
	})
	if err != refused || !strings.Contains(err.Error(), "connect(127.0.0.1)") {
		t.Error(err)
	}
}

// quiet is a connection that was closed.
type quiet struct{}

func (quiet) Read([]byte) (int, error)    { return 0, syscall.ECONNRESET }
func (quiet) Write(b []byte) (int, error) { return len(b), nil }
func (quiet) Close() error                { return nil }

// TestTimeOfTheMachineIsRead fails if the ticks of /proc/stat are taken for those of others.
func TestTimeOfTheMachineIsRead(t *testing.T) {
	before := ticksOf("cpu  100 0 50 1000 10 5 5 20 7 0\ncpu0 1 2 3\n")
	after := ticksOf("cpu  130 0 60 1040 10 5 5 40 9 0\n")
	used, stolen, known := shares(before, after)
	if !known || used != 0.4 || stolen != 0.2 {
		t.Errorf("%v used, %v stolen, %v", used, stolen, known)
	}
	for _, text := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8 9", "cpu 1 2 3 4 5 6 7 x 9"} {
		if ticks := ticksOf(text); ticks != nil {
			t.Errorf("%q: %v", text, ticks)
		}
	}
	if _, _, known := shares(nil, after); known {
		t.Error("nothing was read, and something is known")
	}
	if _, _, known := shares(after, after); known {
		t.Error("no tick has passed, and something is known")
	}
	for text, want := range map[string]int{"Name:\ta\nThreads:\t23\nSigQ:\t0/1\n": 23, "Name:\tThreads:\t7\n": 0, "a\nThreads:": 0, "a\nThreads:\tx\n": 0} {
		if got := threadsIn(text); got != want {
			t.Errorf("%q: %d threads, want %d", text, got, want)
		}
	}
}

// TestPausesAndWaitsAreThoseOfTheMeasurement fails if what was before is counted too.
func TestPausesAndWaitsAreThoseOfTheMeasurement(t *testing.T) {
	var before, after runtime.MemStats
	for i := range after.PauseNs {
		after.PauseNs[i] = uint64(i)
	}
	before.NumGC, after.NumGC = 254, 258
	if got := pausesBetween(&before, &after); !reflect.DeepEqual(got, []uint64{0, 1, 254, 255}) {
		t.Errorf("%v", got)
	}
	before.NumGC, after.NumGC = 0, 1000
	if got := pausesBetween(&before, &after); len(got) != len(after.PauseNs) {
		t.Errorf("%d pauses", len(got))
	}
	if rank(nil, 0.5) != 0 || rank([]uint64{1, 2, 3}, 0.5) != 2 || rank([]uint64{1, 2, 3}, 1) != 3 || rank([]uint64{1}, 0) != 1 {
		t.Error("a rank is wrong")
	}
	inf := math.Inf(1)
	first := &metrics.Float64Histogram{Counts: []uint64{5, 0, 1}, Buckets: []float64{0, 1e-6, 1e-3, inf}}
	second := &metrics.Float64Histogram{Counts: []uint64{5, 8, 3}, Buckets: first.Buckets}
	if got := between(first, second, 0.5); got != 1000000 {
		t.Errorf("half of the waits: %d ns", got)
	}
	if got := between(first, second, 1); got != 1000000 {
		t.Errorf("the longest wait: %d ns", got)
	}
	if got := between(first, first, 0.5); got != 0 {
		t.Errorf("no waits: %d ns", got)
	}
}

// TestProcessorsHaveNames fails if the words of an architecture are not known.
func TestProcessorsHaveNames(t *testing.T) {
	for text, want := range map[string]string{
		"processor\t: 0\nmodel name\t: Some CPU\x01 9\nflags\t: " + strings.Repeat("fpu ", 99) + "hypervisor\n": "Some CPU 9 true",
		"system type : x\ncpu model\t\t: Loongson-3\n":                                                          "Loongson-3 false",
		"CPU implementer\t: 0x70\nCPU variant\t: 0x1\nCPU part\t: 0x662\n":                                      "implementer 0x70 part 0x662 variant 0x1 false",
		"processor 0: version = FF,  machine = 8561\n":                                                          "version = FF,  machine = 8561 false",
		"": " false",
	} {
		if name, virtual := processor(text); fmt.Sprint(name, " ", virtual) != want {
			t.Errorf("%q: %q %v, want %q", text, name, virtual, want)
		}
	}
}

func FuzzFilesOfTheKernel(f *testing.F) {
	f.Add("cpu  1 2 3 4 5 6 7 8 9 10\n")
	f.Add("Name:\ta\nThreads:\t23\n")
	f.Add("model name : x\n12:pids:/a\n0::/b")
	f.Fuzz(func(t *testing.T, text string) {
		if ticks := ticksOf(text); ticks != nil && len(ticks) != allTicks {
			t.Errorf("%d ticks", len(ticks))
		}
		threadsIn(text)
		if name, _ := processor(text); len(name) > 3*maxLine+40 {
			t.Errorf("a name of %d bytes", len(name))
		}
		if g := groupIn(text, "pids", 2); !strings.HasPrefix(g, "/") || strings.Contains(g, "/../") {
			t.Errorf("group %q", g)
		}
	})
}
