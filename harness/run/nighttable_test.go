package run

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/renameio/v2"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/run/shard"
)

// Flags of `make scale`.
var (
	nightWrite  = flag.String("night.write", "", "simulate nights of 20,000 cells, and write their tables to this file")
	nightShards = flag.String("night.shards", "", "compare with these folders of finished shards (comma-separated)")
	nightBefore = flag.String("night.before", "", "draw cells from this finished run, and predict the shards from it")
)

const (
	nightCells   = 20000
	nightWorkers = 50
	nightSeed    = 1
	nightCores   = 2
	nightMemory  = 8192 // MiB
)

// TestTwentyThousandCells simulates whole nights. It takes many minutes.
func TestTwentyThousandCells(t *testing.T) {
	if *nightWrite == "" {
		t.Skip("make scale runs it")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# A night of %d cells\n\nWritten by `make scale`; do not edit. [Scale](../docs/scale.md) says what is real here, what is a model, and what it means.\n"+
		"Seed %d; a worker has %d cores and %d MiB. Times are of the modelled clock.\n", nightCells, nightSeed, nightCores, nightMemory)
	from := cmp.Or(*nightBefore, recordedFolder)
	recorded := nightly(t, from)
	b.WriteString(drawnFrom(t, from, recorded))
	base := night{workers: nightWorkers, cores: nightCores, memory: nightMemory, balanced: true, bare: true, odds: usual}
	workersTable(t, &b, base, recorded)
	causesTable(t, &b, base, recorded)
	evidenceTable(t, &b, base, recorded)
	if *nightShards != "" {
		checkTable(t, &b)
	}
	if err := renameio.WriteFile(*nightWrite, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// drawnFrom says what the cells are drawn from.
func drawnFrom(t *testing.T, folder string, recorded []evidence.CellRun) string {
	t.Helper()
	run, _, err := evidence.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	cpu, most := 0.0, 0.0
	for _, c := range recorded {
		used := 0.0
		for _, r := range c.Runs {
			used += r.CPUSeconds
		}
		cpu, most = cpu+used, max(most, used)
	}
	took := run.Finished.Sub(run.Started).Seconds()
	return fmt.Sprintf("Cells are drawn from the %d of a run that took %.0f s on %d cores: %.1f s of CPU for a cell on average, %.1f s at most.\n",
		len(recorded), took, run.Host.Cores, cpu/float64(len(recorded)), most)
}

// workersTable shows how long a night takes with more and more workers.
func workersTable(t *testing.T, b *strings.Builder, base night, recorded []evidence.CellRun) {
	t.Helper()
	b.WriteString("\n## Workers\n\n| workers | cells of the largest shard | plan: longest against mean | the night | longest worker against mean | longest cell | cores in use | speed-up | cells that the plan of the next night moves |\n|---|---|---|---|---|---|---|---|---|\n")
	cells := draw(recorded, nightCells, nightSeed, base.odds)
	one := 0.0
	for _, workers := range []int{1, 5, 10, 25, 50, 100, 200} {
		n := base
		n.workers = workers
		r := n.simulate(t, cells, t.TempDir())
		if workers == 1 {
			one = r.makespan
		}
		fmt.Fprintf(b, "| %d | %d | %.3f | %s | %.3f | %.0f s | %.0f %% | %.1f | %.0f %% |\n", workers, r.most, r.balance, hours(r.makespan), r.makespan/r.mean, r.longest, 100*r.used, one/r.makespan, 100*moved(t, cells, workers))
		t.Logf("%d workers: %v here", workers, r.real)
	}
}

// moved returns the part of the cells that go to another worker if the next night is planned with
// what cells took in this one. A worker with a cache of its own has nothing of them there.
func moved(t *testing.T, cells []modelledCell, workers int) float64 {
	t.Helper()
	var names []string
	last, next := map[string]float64{}, map[string]float64{}
	for _, c := range cells {
		name := c.cell.Name
		names = append(names, name)
		last[name], next[name] = c.planned, c.of.Seconds*c.factor
	}
	at, moved := map[string]int{}, 0
	for i, seconds := range []map[string]float64{last, next} {
		parts, err := shard.Split(names, seconds, workers)
		if err != nil {
			t.Fatal(err)
		}
		for worker, part := range parts {
			for _, name := range part {
				if i == 1 && at[name] != worker {
					moved++
				}
				at[name] = worker
			}
		}
	}
	return float64(moved) / float64(len(cells))
}

// causesTable shows what each thing that goes wrong costs.
func causesTable(t *testing.T, b *strings.Builder, base night, recorded []evidence.CellRun) {
	t.Helper()
	fmt.Fprintf(b, "\n## What goes wrong, on %d workers\n\n| | the night | against the first | longest worker against mean | seconds of CPU | probe runs | of which failed | cells left undecided |\n|---|---|---|---|---|---|---|---|\n", base.workers)
	calm := chances{spread: usual.spread}
	slow, failing := calm, calm
	slow.straggler, slow.slower = usual.straggler, usual.slower
	failing.transient, failing.dies = usual.transient, usual.dies
	first := 0.0
	row := func(name string, r nightResult) {
		if first == 0 {
			first = r.makespan
		}
		fmt.Fprintf(b, "| %s | %s | %.3f | %.3f | %.0f | %d | %d | %d |\n", name, hours(r.makespan), r.makespan/first, r.makespan/r.mean, r.cpu, r.runs, r.retried, len(r.again))
	}
	whole := nightResult{}
	for _, c := range []struct {
		name     string
		odds     chances
		balanced bool
	}{
		{"nothing; every cell takes " + percent(usual.spread) + " more or less than the night before", calm, true},
		{"the same, and the plan knows no durations", calm, false},
		{fmt.Sprintf("%s of the cells take %.0f times as long", percent(slow.straggler), slow.slower), slow, true},
		{fmt.Sprintf("%s of the probe runs fail by an error of ours, %s of the kernels die", percent(failing.transient), percent(failing.dies)), failing, true},
		{"all of that", usual, true},
	} {
		n := base
		n.odds, n.balanced = c.odds, c.balanced
		whole = n.simulate(t, draw(recorded, nightCells, nightSeed, c.odds), t.TempDir())
		row(c.name, whole)
	}
	if again := whole.again; len(again) > 0 {
		for i := range again {
			again[i].seed++ // other errors than the first time
		}
		n := base
		n.workers = min(n.workers, len(again))
		row("then the undecided cells once more (`--rerun-failed`)", n.simulate(t, again, t.TempDir()))
	}
	fmt.Fprintf(b, "\n`--repeat 3` runs everything three times, one after another: %s.\n", hours(3*whole.makespan))
}

// evidenceTable shows what the workers write and keep, with whole transcripts.
func evidenceTable(t *testing.T, b *strings.Builder, base night, recorded []evidence.CellRun) {
	t.Helper()
	base.bare = false
	cells := draw(recorded, nightCells/nightWorkers, nightSeed, base.odds)
	base.workers = 1
	began := cpuSeconds(t)
	r := base.simulate(t, cells, t.TempDir())
	used := cpuSeconds(t) - began
	fmt.Fprintf(b, "\n## A worker of %d cells\n\n| | |\n|---|---|\n| the harness's own CPU time, with retries and evidence | %.1f ms for each probe run |\n| what its process keeps of a cell until the run ends | %.0f KiB |\n"+
		"| its evidence without console logs, resume.json included | %.1f MiB |\n| resident memory of its guests at once, at most | %d MiB |\n",
		len(cells), 1000*used/float64(r.runs), r.keptKiB, float64(r.written)/(1<<20), r.memory>>20)
}

// checkTable compares the model with shards that ran. Nothing is fitted: the costs of the cells
// are the CPU time and the waits of their guests, one by one.
func checkTable(t *testing.T, b *strings.Builder) {
	t.Helper()
	host, err := MeasureHost()
	if err != nil {
		t.Fatal(err)
	}
	n := night{workers: 1, cores: host.Cores, memory: host.MemoryMiB, bare: true}
	fmt.Fprintf(b, "\n## Checked against shards that ran here\n\nA worker has %d cores and %d MiB here. Other programs used some of the cores; a prediction is for those that they left. The first one is\n"+
		"from the costs of the cells in an earlier run of the whole matrix, the second from those in the shard itself.\n\n"+
		"| run | cells | cores left | measured | CPU of its guests | predicted from the earlier run | error | predicted from its own costs | error |\n|---|---|---|---|---|---|---|---|---|\n", host.Cores, host.MemoryMiB)
	before := map[string]evidence.CellRun{}
	for _, c := range nightly(t, *nightBefore) {
		before[c.Cell.Name] = c
	}
	var most checked
	for _, folder := range append([]string{*nightBefore}, strings.Split(*nightShards, ",")...) {
		c := check(t, n, folder, before)
		b.WriteString(c.row())
		if folder != *nightBefore {
			most.cells, most.cpu = most.cells+c.cells, most.cpu+c.cpu
			most.measured, most.earlier, most.own = max(most.measured, c.measured), max(most.earlier, c.earlier), max(most.own, c.own)
		}
	}
	most.name = "all shards at once, each on such a machine"
	b.WriteString(most.row())
}

// checked is a run and what the model makes of it. Times are in seconds.
type checked struct {
	name                   string
	cells                  int
	left, cpu              float64
	measured, earlier, own float64
}

func (c checked) row() string {
	left := ""
	if c.left > 0 {
		left = fmt.Sprintf("%.2f", c.left)
	}
	return fmt.Sprintf("| %s | %d | %s | %.1f s | %.1f s | %.1f s | %+.0f %% | %.1f s | %+.0f %% |\n", c.name, c.cells, left, c.measured, c.cpu,
		c.earlier, 100*(c.earlier/c.measured-1), c.own, 100*(c.own/c.measured-1))
}

// check predicts a run that took place.
func check(t *testing.T, n night, folder string, before map[string]evidence.CellRun) (c checked) {
	t.Helper()
	run, _, err := evidence.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	own := nightly(t, folder)
	var earlier []evidence.CellRun
	for _, one := range own {
		was, known := before[one.Cell.Name]
		if !known {
			t.Fatalf("%s has no cell %s", *nightBefore, one.Cell.Name)
		}
		earlier = append(earlier, was)
		for _, r := range one.Runs {
			c.cpu += r.CPUSeconds
		}
	}
	c.name, c.cells, c.measured = "the earlier run", len(own), run.Finished.Sub(run.Started).Seconds()
	if run.Shard != nil {
		c.name = run.Shard.String()
	}
	n.left = left(t, filepath.Dir(folder), c.cpu+run.CPUSeconds, n.cores)
	c.left = n.left
	c.earlier, c.own = n.simulate(t, exactly(earlier), t.TempDir()).makespan, n.simulate(t, exactly(own), t.TempDir()).makespan
	return c
}

// left returns how many cores other programs left to a run that used seconds of CPU. The files
// before and after in a folder are copies of /proc/stat; 0 if they are not there.
func left(t *testing.T, folder string, seconds float64, cores int) float64 {
	t.Helper()
	var all, idle [2]float64
	for i, name := range []string{"before", "after"} {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			return 0
		}
		first, _, _ := strings.Cut(string(b), "\n")
		words := strings.Fields(first)
		if err != nil || len(words) < 9 {
			t.Fatalf("%s is no copy of /proc/stat: %v", filepath.Join(folder, name), err)
		}
		for n, word := range words[1:9] { // user nice system idle iowait irq softirq steal
			ticks, err := strconv.ParseFloat(word, 64)
			if err != nil {
				t.Fatal(err)
			}
			all[i] += ticks
			if n == 3 || n == 4 {
				idle[i] += ticks
			}
		}
	}
	passed := (all[1] - all[0]) / ticksPerSecond
	others := passed - (idle[1]-idle[0])/ticksPerSecond - seconds
	return float64(cores) * (1 - max(0, others)/passed)
}

// exactly are cells that take as long as they took.
func exactly(recorded []evidence.CellRun) (all []modelledCell) {
	for i := range recorded {
		all = append(all, modelledCell{cell: recorded[i].Cell, of: &recorded[i], planned: recorded[i].Seconds, factor: 1})
	}
	return all
}

func hours(seconds float64) string {
	return time.Duration(math.Round(seconds) * 1e9).String()
}

func percent(x float64) string { return fmt.Sprintf("%.3g %%", 100*x) }
