// Command fuzz runs the fuzz targets of the module, several at once, and writes to a table how
// long each ran and what it found. It must run in the root of the checkout.
//
// The inputs that a target finds worth keeping stay in Go's cache, as those of go test -fuzz do,
// so a later run goes on where an earlier one ended. The table adds up what all runs did.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"sync"
	"syscall"
)

func main() {
	last := flag.String("time", "10s", "how long each target runs, as go test -fuzztime takes it: 10m, or 500x for 500 executions")
	jobs := flag.Int("jobs", runtime.NumCPU(), "how many targets run at once; each has one worker")
	only := flag.String("only", "", "only the targets that this regular expression matches, such as harness/judge or FuzzParse$")
	write := flag.String("write", "", "add what the targets did to the table in this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := all(ctx, *last, *jobs, *only, *write); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

// all runs the targets. A signal ends them early, and what they did until then is kept.
func all(ctx context.Context, last string, jobs int, only, write string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("--only: %w", err)
	}
	targets, err := find(".", wanted)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return fmt.Errorf("no fuzz target matches %q; without that all run", only)
	}
	t := table{}
	if write != "" {
		if t, err = readTable(write); err != nil {
			return err
		}
	}
	programs, err := compile(ctx, targets)
	if err != nil {
		return err
	}
	defer programs.remove()
	queue, results := make(chan target, len(targets)), make(chan result)
	for _, t := range targets {
		queue <- t
	}
	close(queue)
	var running sync.WaitGroup
	for range jobs {
		running.Go(func() {
			for t := range queue {
				if ctx.Err() == nil {
					results <- programs.run(ctx, t, last)
				}
			}
		})
	}
	go func() { running.Wait(); close(results) }()
	var found error
	n := 0
	for r := range results {
		n++
		fmt.Printf("%d of %d  %s\n", n, len(targets), r)
		if r.problem != nil {
			found = errors.Join(found, fmt.Errorf("%s: %w\n%s", r.target, r.problem, r.output))
		}
		if t.add(r); write != "" {
			if err := t.write(write); err != nil {
				return errors.Join(found, err)
			}
		}
	}
	if ctx.Err() != nil {
		found = errors.Join(found, fmt.Errorf("it was stopped; %d of %d targets had begun", n, len(targets)))
	}
	return found
}
