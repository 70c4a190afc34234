// Command soak repeats one cell in one process, and shows whether anything grows: the memory, the
// threads and the descriptors of the process, the cache, and what is left in TMPDIR and of processes.
// It must run in the root of the checkout, after make has built bin/mapstack.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
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
	focus := flag.String("focus", "", "run only these suites and claims, as mapstack run does; empty for all")
	write := flag.String("write", "", "write the table to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := all(ctx, *runs, *cell, *focus, *write); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

const (
	// maxRun bounds a run. One of a cell takes seconds.
	maxRun = 20 * time.Minute
	// maxEnd bounds how long a process may take to end after it was interrupted.
	maxEnd = time.Minute
)

// all makes the runs, and shows and writes their table. A signal ends it, and what was seen is
// shown. What the runs left, and an outcome that changed, is an error.
func all(ctx context.Context, runs int, cell, focus, write string) error {
	dir, err := os.MkdirTemp("", "mapstack-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Processes that the runs leave become children of this one, and are seen.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt what the runs leave: %w", err)
	}
	c, err := cache.Inspect("")
	if err != nil {
		return err
	}
	defer c.Close()
	s := soak{dir: dir, cell: cell, focus: focus, cache: c.Root()}
	if err := os.Mkdir(s.temporary(), 0o700); err != nil {
		return err
	}
	// The first run fills the cache.
	if err := s.run(ctx, 1); err != nil {
		return err
	}
	problems := s.run(ctx, runs)
	if len(s.seen) == 0 {
		return errors.Join(problems, errors.New("no run was made"))
	}
	left, err := os.ReadDir(s.temporary())
	problems = errors.Join(problems, err)
	processes := orphans()
	table := markdown(cell, focus, s.seen, len(left), processes)
	fmt.Print(table)
	if write != "" {
		problems = errors.Join(problems, renameio.WriteFile(write, []byte(table), 0o644))
	}
	return errors.Join(problems, spoilt(s.seen, len(left), processes))
}

// soak is the place of the runs, and what was seen of them.
type soak struct {
	dir, cache, cell, focus string
	seen                    []sample
	// first are the outcomes of the first run, by claim.
	first map[string]verdict.Status
}

// temporary is the TMPDIR of the runs.
func (s *soak) temporary() string { return filepath.Join(s.dir, "tmp") }

// sample is what a process used in one run. It is looked at a hundred times a second.
type sample struct {
	took            time.Duration
	memory          uint64 // bytes, the most that was resident
	threads, files  int    // the most at once
	cached, entries int64  // bytes and files in the cache after it
	temporary       int    // files in TMPDIR after it, when the next run may have begun
	changed         int    // claims with another outcome than in the first run
}

func (s sample) String() string {
	return fmt.Sprintf("%.1f s, %.1f MiB, %d threads, %d descriptors, cache %.1f MiB in %d files, %d files in TMPDIR, outcomes that differ: %d",
		s.took.Seconds(), mebi(s.memory), s.threads, s.files, mebi(uint64(s.cached)), s.entries, s.temporary, s.changed)
}

func mebi(n uint64) float64 { return float64(n) / (1 << 20) }

// ended is what mapstack prints when one of several runs has ended.
var ended = regexp.MustCompile(`^Repeat \d+ of \d+: .* Report: (.+)$`)

// run makes some runs in one process, and looks at it. A signal ends it without an error.
func (s *soak) run(ctx context.Context, times int) error {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(within, "bin/mapstack", "run", "--cell", s.cell, "--focus", s.focus, "--repeat", strconv.Itoa(times),
		"--lang", "en", "--out", filepath.Join(s.dir, "out"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = maxEnd
	// The keys of a terminal reach it through this process, and it must not outlive that.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "TMPDIR="+s.temporary())
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stderr = log
	shown, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	reports := make(chan string)
	go func() {
		defer close(reports)
		lines := bufio.NewScanner(io.TeeReader(shown, log))
		for lines.Scan() {
			if m := ended.FindStringSubmatch(lines.Text()); m != nil {
				reports <- m[1]
			}
		}
	}()
	tick, limit := time.NewTicker(10*time.Millisecond), time.NewTimer(maxRun)
	defer tick.Stop()
	defer limit.Stop()
	var one sample
	began := time.Now()
	for more := true; more; {
		var written string
		select {
		case written, more = <-reports:
			if !more || ctx.Err() != nil {
				break // a run that was interrupted shows nothing
			}
			one.took = time.Since(began)
			if err := s.after(&one, written); err != nil {
				cancel(err)
			}
			fmt.Printf("run %d of %d: %s\n", len(s.seen), times, one)
			one, began = sample{}, time.Now()
			limit.Reset(maxRun)
		case <-tick.C:
			one.look(cmd.Process.Pid)
		case <-limit.C:
			cancel(fmt.Errorf("a run has not ended after %v", maxRun))
		}
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return nil
	case within.Err() != nil:
		err = context.Cause(within)
	}
	if err != nil {
		err = fmt.Errorf("run %d of %d: %w\n%s", len(s.seen)+1, times, err, tail(log.Name()))
	}
	return err
}

// after looks at what a run left in the cache and in TMPDIR, and at its outcomes. It removes the
// evidence.
func (s *soak) after(one *sample, written string) error {
	entries, err := os.ReadDir(s.temporary())
	if err != nil {
		return err
	}
	one.temporary = len(entries)
	if one.cached, one.entries, err = size(s.cache); err != nil {
		return fmt.Errorf("measure the cache: %w", err)
	}
	b, err := os.ReadFile(written)
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
	one.changed = len(changed)
	s.seen = append(s.seen, *one)
	return os.RemoveAll(filepath.Dir(written))
}

// spoilt is an error if outcomes changed, or if the runs left files or processes.
func spoilt(all []sample, files, processes int) error {
	changed := 0
	for _, one := range all {
		if one.changed > 0 {
			changed++
		}
	}
	if changed+files+processes == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d runs had other outcomes than the first; %d files are left in TMPDIR, and %d processes", changed, len(all), files, processes)
}
