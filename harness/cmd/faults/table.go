package main

import (
	"fmt"
	"strings"
)

// tally counts what the trials of each kind showed.
type tally map[string]*row

type row struct {
	trials, defects, kept int
	ends                  map[ending]int
}

func (c tally) add(name string, s seen) {
	r := c[name]
	if r == nil {
		r = &row{ends: map[ending]int{}}
		c[name] = r
	}
	r.trials++
	r.kept += s.kept
	for e, n := range s.ends {
		r.ends[e] += n
	}
	if len(s.defects) > 0 {
		r.defects++
	}
}

// defects returns the number of trials that showed one.
func (c tally) defects() (n int) {
	for _, r := range c {
		n += r.defects
	}
	return n
}

func (c tally) markdown(kinds []kind, seed uint64, from, to int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Faults\n\nWritten by `make faults`; do not edit. Trials %d to %d of seed %d, on %s, with the claims of the suite %s.\n\n"+
		"Each trial injects one fault into a run. After it, no process and no lock may be left, and a second run with the\n"+
		"same cache must have the outcomes of an undisturbed one and leave nothing in TMPDIR. How the first run ended:\n"+
		"unharmed; the same outcomes, and the report tells what went wrong; an error that says why; killed.\n\n"+
		"| fault | | trials | unharmed | overcome | stated | killed | finished cells that were kept | defects |\n|---|---|---|---|---|---|---|---|---|\n",
		from, to-1, seed, strings.Join(matrices[:2], " and "), focus)
	total := row{ends: map[ending]int{}}
	for _, k := range kinds {
		r := c[k.name]
		if r == nil {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", k.name, k.about, r)
		total.trials, total.kept, total.defects = total.trials+r.trials, total.kept+r.kept, total.defects+r.defects
		for e, n := range r.ends {
			total.ends[e] += n
		}
	}
	fmt.Fprintf(&b, "| all | | %s |\n", &total)
	return b.String()
}

func (r *row) String() string {
	return fmt.Sprintf("%d | %d | %d | %d | %d | %d | %d", r.trials, r.ends[unharmed], r.ends[overcame], r.ends[stated], r.ends[killed], r.kept, r.defects)
}
