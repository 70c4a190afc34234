// Command soak runs one cell again and again, and shows whether anything grows: the memory, the
// threads and the descriptors of a run, the cache, and what is left in TMPDIR and of processes.
// It must run in the root of the checkout, after make has built bin/mapstack.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

func main() {
	runs := flag.Int("runs", 500, "how many runs to make, one after another")
	cell := flag.String("cell", "amd64-debian12-6.1", "the cell to run")
	write := flag.String("write", "", "write the table to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := all(ctx, *runs, *cell, *write); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// maxRun bounds a run. One of a cell takes seconds.
const maxRun = 20 * time.Minute

// all makes the runs, and shows and writes their table. A signal ends it after a run. What a
// run left, and an outcome that changed, is an error.
func all(ctx context.Context, runs int, cell, write string) error {
	dir, err := os.MkdirTemp("", "mapstack-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Processes that a run leaves become children of this one, and are seen.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt what a run leaves: %w", err)
	}
	c, err := cache.Inspect("")
	if err != nil {
		return err
	}
	defer c.Close()
	s := soak{dir: dir, cell: cell, cache: c.Root()}
	// The first run fills the cache.
	if _, err := s.run(); err != nil {
		return err
	}
	var all []sample
	var problems error
	for n := 0; n < runs && ctx.Err() == nil; n++ {
		one, err := s.run()
		if err != nil {
			problems = fmt.Errorf("run %d of %d: %w", n+1, runs, err)
			break
		}
		all = append(all, one)
		fmt.Printf("run %d of %d: %s\n", n+1, runs, one)
	}
	if len(all) == 0 {
		return errors.Join(problems, errors.New("no run was made"))
	}
	table := markdown(cell, all)
	fmt.Print(table)
	if write != "" {
		problems = errors.Join(problems, renameio.WriteFile(write, []byte(table), 0o644))
	}
	if spoilt := spoilt(all); spoilt > 0 {
		problems = errors.Join(problems, fmt.Errorf("%d of %d runs left files or processes, or had other outcomes than the first", spoilt, len(all)))
	}
	return problems
}

// spoilt counts the runs that left something, or had other outcomes than the first.
func spoilt(all []sample) (n int) {
	for _, s := range all {
		if s.temporary+s.orphan+s.changed > 0 {
			n++
		}
	}
	return n
}

// soak is the place of the runs.
type soak struct {
	dir, cache, cell string
	// first are the outcomes of the first run, by claim.
	first map[string]verdict.Status
}

// sample is what one run used and left. A process is looked at a hundred times a second.
type sample struct {
	took              time.Duration
	memory            uint64 // bytes, the most that was resident
	threads, files    int    // the most at once
	cached, entries   int64  // bytes and files in the cache after it
	temporary, orphan int    // what it left in TMPDIR, and processes
	changed           int    // claims with another outcome than in the first run
}

func (s sample) String() string {
	return fmt.Sprintf("%.1f s, %.1f MiB, %d threads, %d descriptors, cache %.1f MiB in %d files, left %d files and %d processes, outcomes that differ: %d",
		s.took.Seconds(), mebi(s.memory), s.threads, s.files, mebi(uint64(s.cached)), s.entries, s.temporary, s.orphan, s.changed)
}

func mebi(n uint64) float64 { return float64(n) / (1 << 20) }

// run makes a run and looks at it.
func (s *soak) run() (sample, error) {
	out, temporary := filepath.Join(s.dir, "out"), filepath.Join(s.dir, "tmp")
	if err := errors.Join(os.RemoveAll(out), os.RemoveAll(temporary), os.Mkdir(temporary, 0o700)); err != nil {
		return sample{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxRun)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bin/mapstack", "run", "--cell", s.cell, "--out", out)
	// The keys of a terminal must not end the run that is under way, and it must not outlive
	// this process.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return sample{}, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	var seen sample
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for running := true; running; {
		select {
		case err := <-ended:
			if err != nil {
				return sample{}, fmt.Errorf("%w\n%s", err, tail(log.Name()))
			}
			running = false
		case <-tick.C:
			seen.look(cmd.Process.Pid)
		}
	}
	seen.took = time.Since(began)
	return seen, s.after(&seen, out, temporary)
}

// after looks at what a run left, and at its outcomes.
func (s *soak) after(seen *sample, out, temporary string) error {
	entries, err := os.ReadDir(temporary)
	if err != nil {
		return err
	}
	seen.temporary = len(entries)
	seen.orphan = orphans()
	if seen.cached, seen.entries, err = size(s.cache); err != nil {
		return fmt.Errorf("measure the cache: %w", err)
	}
	b, err := os.ReadFile(filepath.Join(out, "latest", "report.json"))
	if err != nil {
		return err
	}
	var r report.Report
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	outcomes := map[string]verdict.Status{}
	for _, o := range r.Outcomes {
		outcomes[o.Claim] = o.Status
	}
	if s.first == nil {
		s.first = outcomes
	}
	changed := maps.Clone(s.first)
	maps.DeleteFunc(changed, func(claim string, was verdict.Status) bool { return outcomes[claim] == was })
	seen.changed = len(changed)
	return nil
}
