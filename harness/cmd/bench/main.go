// Command bench measures what the harness costs, and writes a table and JSON. It must run in
// the root of the checkout. Every result is a ratio of two things that were measured in turns
// in one run. A duration alone says little, because machines are shared and noisy.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
)

func main() {
	times := flag.Int("times", 7, "how often to measure each thing")
	cells := flag.String("cell", strings.Join(machines, ","), "cells whose restores are compared with their boots (comma-separated)")
	var runs [2]string
	flag.StringVar(&runs[0], "run", "", "also show the costs of this run: the folder of its evidence")
	flag.StringVar(&runs[1], "cold", "", "the same run with an empty cache: the folder of its evidence")
	write := flag.String("write", "", "write the results to the files `NAME`.md and NAME.json")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx, *times, *cells, runs, *write); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// machines names a cell for every machine, and one of amd64 with two CPUs.
var machines = []string{"amd64-debian12-6.1", "amd64-debian13-6.12", "arm64-debian12-6.1", "loong64-debian14-newest",
	"mips64le-debian12-6.1-loongson3", "mips64le-debian12-6.1-malta", "ppc64le-debian12-6.1", "riscv64-debian14-newest", "s390x-debian12-6.1"}

// Result is everything that was measured.
type Result struct {
	Host  evidence.Host `json:"host"`
	Times int           `json:"times"`
	Rows  []Row         `json:"rows"`
	Run   *Costs        `json:"run,omitempty"`
}

// Row compares two things that were measured in turns: Of against To.
type Row struct {
	What   string  `json:"what"`
	Of     Spread  `json:"of"`
	To     Spread  `json:"to"`
	Ratio  float64 `json:"ratio"`  // of the medians
	Target float64 `json:"target"` // the largest ratio that is accepted
}

// Spread says how many seconds a thing took.
type Spread struct {
	Name   string  `json:"name"`
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

func measure(ctx context.Context, times int, names string, runs [2]string, write string) error {
	data := os.DirFS("fixtures")
	bench, err := workbench.Open(ctx, workbench.Options{Dir: ".", Data: data, Sink: progress.Discard})
	if err != nil {
		return err
	}
	result := Result{Host: bench.Host, Times: times}
	if result.Run, err = ofRuns(ctx, bench, runs[0], runs[1]); err != nil {
		return err
	}
	all, err := matrix.Load(data)
	if err != nil {
		return err
	}
	cells, err := matrix.Select(all, matrix.Selection{Cell: names})
	if err != nil {
		return err
	}
	for _, c := range cells {
		rows, err := compare(ctx, bench, c, times)
		if err != nil {
			return fmt.Errorf("cell %s: %w", c.Name, err)
		}
		result.Rows = append(result.Rows, rows...)
		for _, r := range rows {
			fmt.Println(r)
		}
	}
	if write == "" {
		return nil
	}
	b, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(write+".json", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return renameio.WriteFile(write+".md", []byte(result.markdown()), 0o644)
}

// ofRuns returns the costs of a run, and how long it took with an empty cache. Both
// folders may be empty.
func ofRuns(ctx context.Context, bench *workbench.Bench, warm, cold string) (*Costs, error) {
	if warm == "" {
		return nil, nil
	}
	c, err := costs(warm)
	if err != nil {
		return nil, err
	}
	if cold != "" {
		before, err := costs(cold)
		if err != nil {
			return nil, err
		}
		c.ColdSeconds = before.Seconds
	}
	var goarches []string
	for _, a := range arch.All() {
		if !a.Supplied && a.GNU == "" {
			goarches = append(goarches, a.GOARCH)
		}
	}
	return c, c.measureImages(ctx, bench, goarches)
}

// contest measures two things in turns, so that a disturbance affects both.
func contest(times int, what string, target float64, of, to string, one, other func() (float64, error)) (Row, error) {
	var a, b []float64
	for range times {
		x, err := one()
		if err != nil {
			return Row{}, fmt.Errorf("%s: %w", of, err)
		}
		y, err := other()
		if err != nil {
			return Row{}, fmt.Errorf("%s: %w", to, err)
		}
		a, b = append(a, x), append(b, y)
	}
	r := Row{What: what, Of: spread(of, a), To: spread(to, b), Target: target}
	r.Ratio = r.Of.Median / r.To.Median
	return r, nil
}

func spread(name string, seconds []float64) Spread {
	slices.Sort(seconds)
	return Spread{Name: name, Min: seconds[0], Median: seconds[len(seconds)/2], Max: seconds[len(seconds)-1]}
}

func (s Spread) String() string {
	return fmt.Sprintf("%s %.2f s (%.2f to %.2f)", s.Name, s.Median, s.Min, s.Max)
}

func (r Row) String() string {
	met := "met"
	if r.Ratio > r.Target {
		met = "MISSED"
	}
	return fmt.Sprintf("%s: %.3f (at most %.3f: %s): %s against %s", r.What, r.Ratio, r.Target, met, r.Of, r.To)
}

func (r Result) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks\n\nWritten by `make bench`; do not edit. %d cores, %d MiB; medians of %d with the least and the most, in seconds.\n"+
		"Both sides of a row were measured in turns in one run.\n\n"+
		"| what | this | against | ratio | at most |\n|---|---|---|---|---|\n", r.Host.Cores, r.Host.MemoryMiB, r.Times)
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %.3f | %.3f |\n", row.What, row.Of, row.To, row.Ratio, row.Target)
	}
	if r.Run != nil {
		b.WriteString("\n" + r.Run.markdown())
	}
	return b.String()
}
