// Package shard divides the cells of a run among machines.
package shard

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Auto takes a shard's number from the environment of the CI system.
const Auto = "auto"

// most bounds the number of shards. There are never more of them than cells.
const most = 10_000

// Parse returns the number of a shard, from 1, and how many there are. text is I/N, or Auto, or
// Auto/N where the CI system does not say how many there are. getenv reads the environment.
func Parse(text string, getenv func(string) string) (index, of int, err error) {
	first, second, both := strings.Cut(text, "/")
	if first == Auto {
		return fromEnvironment(second, getenv)
	}
	index, err = number(first)
	if err == nil && both {
		of, err = number(second)
	}
	if err != nil || !both || index < 1 || of < 1 || index > of {
		return 0, 0, fmt.Errorf("--shard is %q; give I/N with I from 1 to N, such as 1/4, or %s, or %s/N", text, Auto, Auto)
	}
	return index, of, nil
}

// ci is how a CI system numbers the machines of a job.
type ci struct {
	name, index, of string
	first           int // the lowest number
}

// systems are the CI systems that are known. The first whose variable is set counts.
var systems = []ci{
	{"GitLab", "CI_NODE_INDEX", "CI_NODE_TOTAL", 1},
	{"Buildkite", "BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0},
	{"Kubernetes", "JOB_COMPLETION_INDEX", "", 0}, // an indexed Job does not tell its containers how many there are
}

func fromEnvironment(asked string, getenv func(string) string) (index, of int, err error) {
	var names []string
	for _, c := range systems {
		names = append(names, c.index)
		text := getenv(c.index)
		if text == "" {
			continue
		}
		total, from := asked, "--shard"
		if c.of != "" {
			if said := getenv(c.of); asked != "" && said != "" && said != asked {
				return 0, 0, fmt.Errorf("--shard says %s shards, and %s of %s says %s; leave out one of both", asked, c.of, c.name, said)
			}
			total, from = cmp.Or(getenv(c.of), asked), c.of
		}
		if total == "" {
			return 0, 0, fmt.Errorf("%s is set, and nothing says how many shards there are; give --shard %s/N", c.index, Auto)
		}
		index, err := number(text)
		if err != nil {
			return 0, 0, fmt.Errorf("%s is %q, which is no number", c.index, text)
		}
		if of, err = number(total); err != nil {
			return 0, 0, fmt.Errorf("%s gives %q shards, which is no number", from, total)
		}
		if index += 1 - c.first; index < 1 || index > of {
			return 0, 0, fmt.Errorf("%s is %s, and there are %d shards, counted from %d", c.index, text, of, c.first)
		}
		return index, of, nil
	}
	return 0, 0, fmt.Errorf("--shard %s finds no number in the environment: none of %s is set; give I/N", Auto, strings.Join(names, ", "))
}

func number(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err == nil && n > most {
		err = strconv.ErrRange
	}
	return int(n), err
}

// Split divides cells so that all shards take about the same time. Each gets its cells in the
// order of the list. seconds says how long a cell took before, by its name. A cell of which
// that is not known takes as long as the others on average. Equal arguments give equal shards,
// on any machine.
func Split(cells []string, seconds map[string]float64, of int) ([][]string, error) {
	if of > len(cells) {
		return nil, fmt.Errorf("%d shards have too little to do: the selection has %d cells; use at most that many", of, len(cells))
	}
	order := slices.Sorted(slices.Values(cells)) // no sum may depend on the order of the list
	sum, known := 0.0, 0
	for _, name := range order {
		if s := seconds[name]; s > 0 {
			sum += s
			known++
		}
	}
	usual := 1.0
	if known > 0 {
		usual = sum / float64(known)
	}
	takes := func(name string) float64 {
		if s := seconds[name]; s > 0 {
			return s
		}
		return usual
	}
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(takes(b), takes(a)) })
	type load struct {
		seconds float64
		cells   int
	}
	loads, shard := make([]load, of), map[string]int{}
	for _, name := range order {
		// The longest cell that is left goes to the shard that has the least to do.
		least := 0
		for i, l := range loads {
			if cmp.Or(cmp.Compare(l.seconds, loads[least].seconds), cmp.Compare(l.cells, loads[least].cells)) < 0 {
				least = i
			}
		}
		loads[least].seconds += takes(name)
		loads[least].cells++
		shard[name] = least
	}
	parts := make([][]string, of)
	for _, name := range cells {
		parts[shard[name]] = append(parts[shard[name]], name)
	}
	return parts, nil
}
