package run

import (
	"cmp"
	"io/fs"
	"math"
	"os"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/shard"
)

// night is a run of many cells on many workers. The plan, the scheduling, the retries and the
// evidence are those of real runs; guests, hosts and the clock are models.
type night struct {
	workers       int
	cores, memory int     // of each worker; MiB
	left          float64 // cores that other programs leave to the guests; 0 for all
	balanced      bool
	bare          bool // without transcripts
	odds          chances
}

// nightResult is what a night took. Times are in seconds of the modelled clock.
type nightResult struct {
	workers        int
	most           int     // cells of the largest shard
	balance        float64 // the longest shard of the plan against the mean
	makespan, mean float64 // of the workers
	longest        float64 // of a cell, from its first guest to its last
	used           float64 // part of the cores' time until the last worker ends
	cpu            float64 // seconds of all guests
	runs, retried  int     // of probes
	memory         int64   // bytes of all guests of a worker at once, at most
	keptKiB        float64 // of the worker's own process, for each cell
	again          []modelledCell
	real           time.Duration // on this host
	each           []float64     // what each worker took
	written        int64         // bytes of the evidence of the worker that wrote most
}

// simulate runs a night. A worker knows nothing of the others, so they run one after another here.
// With keep, the evidence stays.
func (n night) simulate(t *testing.T, cells []modelledCell, dir string) (r nightResult) {
	t.Helper()
	began := time.Now()
	by, planned := map[string]modelledCell{}, map[string]float64{}
	var names []string
	for _, c := range cells {
		names = append(names, c.cell.Name)
		by[c.cell.Name], planned[c.cell.Name] = c, c.planned
	}
	told := planned
	if !n.balanced {
		told = nil
	}
	parts, err := shard.Split(names, told, n.workers)
	if err != nil {
		t.Fatal(err)
	}
	r.workers = n.workers
	var sums []float64
	for _, part := range parts {
		var own []modelledCell
		sum := 0.0
		for _, name := range part {
			own = append(own, by[name])
			sum += planned[name]
		}
		sums = append(sums, sum)
		r.most = max(r.most, len(part))
		n.worker(t, own, dir, &r)
	}
	r.balance = slices.Max(sums) / mean(sums)
	r.makespan, r.mean = slices.Max(r.each), mean(r.each)
	r.used = r.cpu / (r.makespan * float64(n.cores*n.workers))
	r.real = time.Since(began)
	return r
}

func mean(all []float64) float64 {
	sum := 0.0
	for _, x := range all {
		sum += x
	}
	return sum / float64(max(1, len(all)))
}

// worker runs the cells of one shard with the real engine, on a clock of its own.
func (n night) worker(t *testing.T, cells []modelledCell, dir string, r *nightResult) {
	t.Helper()
	out, err := os.MkdirTemp(dir, "worker")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(out)
	synctest.Test(t, func(t *testing.T) {
		begin := func() (evidence.Folder, error) { return evidence.Begin(out, testTime, nil) }
		if n.bare { // a run that nobody goes on with
			begin = func() (evidence.Folder, error) { return evidence.Create(out, testTime) }
		}
		folder, err := begin()
		if err != nil {
			t.Fatal(err)
		}
		defer folder.Close()
		host, log := newSharedHost(cmp.Or(n.left, float64(n.cores))), &nightLog{}
		e := &Engine{Host: evidence.Host{Cores: n.cores, MemoryMiB: n.memory}, Sink: progress.Discard}
		e.lendOnce.Do(func() {
			e.cores = newAdmission(n.cores, host.idle)
			e.memory = semaphore.NewWeighted(int64(n.memory * guestShareNum / guestShareDen))
		})
		probes := map[string][]string{}
		var subjects []Bound
		var asked []matrix.Cell
		for _, c := range cells {
			probes[c.cell.Name] = c.probes()
			subjects = append(subjects, Bound{c.cell, &modelled{modelledCell: c, host: host, odds: n.odds, bare: n.bare, log: log}})
			asked = append(asked, c.cell)
		}
		before := heap()
		results, err := e.Cells(t.Context(), subjects, probes, folder)
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(host.began).Seconds()
		r.keptKiB = max(r.keptKiB, (heap()-before)/float64(len(cells))/1024)
		r.each = append(r.each, took)
		r.cpu += log.cpu
		r.runs, r.retried = r.runs+log.runs, r.retried+log.failed
		r.memory = max(r.memory, log.mostMemory)
		r.longest = max(r.longest, log.longest.Seconds())
		if log.ended != len(cells) {
			t.Errorf("%d of %d cells ended", log.ended, len(cells))
		}
		for i, c := range results {
			if left := undecided(t, cells[i], c); left && !cells[i].dies {
				r.again = append(r.again, cells[i])
			}
		}
		if err := folder.WriteRun(evidence.Run{Cells: asked}); err != nil {
			t.Fatal(err)
		}
		if n.bare {
			return
		}
		r.written = max(r.written, size(t, out))
		if _, again, err := evidence.Load(folder.Path()); err != nil || len(again) != len(cells) {
			t.Errorf("the evidence has %d of %d cells: %v", len(again), len(cells), err)
		}
	})
}

// undecided reports whether errors of ours left something of a cell undecided. A cell that lacks
// a probe run has been lost, and fails the test.
func undecided(t *testing.T, m modelledCell, c evidence.CellRun) (left bool) {
	t.Helper()
	if c.Failure != nil {
		t.Errorf("cell %s: %v", c.Cell.Name, c.Failure)
	}
	for _, probe := range m.probes() {
		run, ran := c.Runs[probe]
		_, observed := c.Transcripts[probe]
		if !ran || observed == (run.Failure != nil) {
			t.Errorf("cell %s, probe %s: ran %v, observed %v, %v", c.Cell.Name, probe, ran, observed, run.Failure)
		}
		left = left || run.Failure != nil && run.Failure.Transient()
	}
	return left
}

// size returns the bytes of all files below a folder.
func size(t *testing.T, folder string) (bytes int64) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(folder), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		bytes += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// nightly are the cells of the recorded matrix. Alpha's are left out: no run has them unasked.
func nightly(t *testing.T, folders ...string) (all []evidence.CellRun) {
	t.Helper()
	for _, folder := range folders {
		_, cells, err := evidence.Load(folder)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cells...)
	}
	return slices.DeleteFunc(all, func(c evidence.CellRun) bool { return c.Cell.Tier != "" || c.Seconds == 0 })
}

const recordedFolder = "../../fixtures/recorded"

// usual is what goes wrong in a night. Nobody has counted it on many machines: the rates are
// higher than on the machines where mapstack is made, to show what it costs.
var usual = chances{straggler: 0.005, slower: 10, transient: 0.01, dies: 0.002, spread: 0.15}

// TestANightLosesNothing fails if a cell or a probe run is lost on the way over many workers, if
// errors of ours are not tried again, or if the modelled hosts work more than they can.
func TestANightLosesNothing(t *testing.T) {
	odds := chances{straggler: 0.1, slower: 10, transient: 0.3, dies: 0.1, spread: 0.15}
	recorded := nightly(t, recordedFolder)
	cells := draw(recorded, 20, 7, odds)
	n := night{workers: 3, cores: 2, memory: 8192, balanced: true, odds: odds}
	r := n.simulate(t, cells, t.TempDir())
	probes, dying := 0, 0
	for _, c := range cells {
		probes += len(c.probes())
		if c.dies {
			dying++
		}
	}
	if r.retried == 0 || len(r.again) == 0 || dying == 0 || r.runs <= probes/2 {
		t.Errorf("%d probe runs of %d probes, %d failed, %d cells to run again, %d kernels died", r.runs, probes, r.retried, len(r.again), dying)
	}
	if r.used > 1+1e-6 || r.makespan < r.cpu/float64(n.cores*n.workers) {
		t.Errorf("%.0f s of CPU in %.0f s on %d workers of %d cores", r.cpu, r.makespan, n.workers, n.cores)
	}
	if r.memory == 0 || r.memory > int64(n.memory)<<20 {
		t.Errorf("guests had %d bytes at once", r.memory)
	}
	n.bare = true
	again := n.simulate(t, draw(recorded, 20, 7, odds), t.TempDir())
	// The engine does not always start guests in the same order, so that the makespan may differ.
	if again.runs != r.runs || again.retried != r.retried || math.Abs(again.cpu/r.cpu-1) > 1e-9 {
		t.Errorf("equal seeds: %d and %d runs, %d and %d failed, %.1f and %.1f s of CPU", r.runs, again.runs, r.retried, again.retried, r.cpu, again.cpu)
	}
}

// TestAModelledHostSharesItsCores fails if guests get more or less CPU time than the host has, or
// if the host is said to be idle while it is not.
func TestAModelledHostSharesItsCores(t *testing.T) {
	for _, c := range []struct {
		cores, jobs int
		took, idle  float64
	}{{1, 1, 1, 0}, {1, 2, 2, 0}, {2, 1, 1, 1}, {2, 3, 1.5, 0}, {2, 4, 2, 0}} {
		synctest.Test(t, func(t *testing.T) {
			h := newSharedHost(float64(c.cores))
			ended := make(chan bool)
			for range c.jobs {
				go func() { h.burn(1); ended <- true }()
			}
			for range c.jobs {
				<-ended
			}
			took := time.Since(h.began).Seconds()
			if idle := h.idle(); math.Abs(took-c.took) > 1e-6 || math.Abs(idle-c.idle) > 1e-6 {
				t.Errorf("%d jobs of a second on %d cores: %.3f s, %.3f cores idle; want %+v", c.jobs, c.cores, took, idle, c)
			}
			time.Sleep(3 * time.Second)
			if idle, used := h.idle(), h.used(); math.Abs(idle-float64(c.cores)) > 1e-6 || math.Abs(used-float64(c.jobs)/(float64(c.cores)*(took+3))) > 1e-6 {
				t.Errorf("nothing runs on %d cores: %.3f idle, %.3f used", c.cores, idle, used)
			}
		})
	}
}
