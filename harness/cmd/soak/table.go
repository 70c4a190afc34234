package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// markdown is the table of the runs: ten rows, each with the largest values of a tenth of them.
func markdown(cell string, all []sample) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Soak\n\nWritten by `make soak`; do not edit. %d runs of %s, one after another, with one cache. Each row has the largest value\n"+
		"of its runs, and the median of their seconds. Memory, threads and descriptors are those of mapstack, without QEMU.\n\n"+
		"| runs | seconds | memory, MiB | threads | descriptors | cache, MiB | files in the cache | left in TMPDIR | processes left | outcomes that differ |\n"+
		"|---|---|---|---|---|---|---|---|---|---|\n", len(all), cell)
	each := max(1, (len(all)+9)/10)
	done := 0
	for part := range slices.Chunk(all, each) {
		var m sample
		var took []time.Duration
		for _, s := range part {
			took = append(took, s.took)
			m.memory, m.threads, m.files = max(m.memory, s.memory), max(m.threads, s.threads), max(m.files, s.files)
			m.cached, m.entries = max(m.cached, s.cached), max(m.entries, s.entries)
			m.temporary, m.orphan, m.changed = max(m.temporary, s.temporary), max(m.orphan, s.orphan), max(m.changed, s.changed)
		}
		slices.Sort(took)
		fmt.Fprintf(&b, "| %d to %d | %.1f | %.1f | %d | %d | %.1f | %d | %d | %d | %d |\n", done+1, done+len(part), took[len(took)/2].Seconds(),
			mebi(m.memory), m.threads, m.files, mebi(uint64(m.cached)), m.entries, m.temporary, m.orphan, m.changed)
		done += len(part)
	}
	return b.String()
}
