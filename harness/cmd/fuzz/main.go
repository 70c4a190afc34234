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
		return fmt.Errorf("no fuzz target matches %q", only)
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
	for range jobs {
		go func() {
			for t := range queue {
				results <- programs.run(ctx, t, last)
			}
		}()
	}
	var found error
	for n := range targets {
		r := <-results
		fmt.Printf("%d of %d  %s\n", n+1, len(targets), r)
		if r.problem != nil {
			found = errors.Join(found, fmt.Errorf("%s: %w\n%s", r.target, r.problem, r.output))
		}
		if t.add(r); write != "" {
			if err := t.write(write); err != nil {
				return errors.Join(found, err)
			}
		}
	}
	return found
}
