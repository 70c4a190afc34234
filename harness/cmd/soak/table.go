package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// markdown is the table of the runs: ten rows, each with the largest values of a tenth of them.
// files and processes are how many they left. focus is what they were about; "" for all claims.
func markdown(cell, focus string, all []sample, files, processes int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Soak\n\nWritten by `make soak`; do not edit. %d runs of %s (%s), one after another in one\n"+
		"process. When it ended, %d files were left in TMPDIR, and %d processes. Each row has the largest value of its runs,\n"+
		"and the median of their seconds. Memory, threads and descriptors are those of mapstack, without QEMU.\n\n"+
		"| runs | seconds | memory, MiB | threads | descriptors | cache, MiB | files in the cache | files in TMPDIR | outcomes that differ |\n"+
		"|---|---|---|---|---|---|---|---|---|\n", len(all), cell, cmp.Or(focus, "all claims"), files, processes)
	each := max(1, (len(all)+9)/10)
	done := 0
	for part := range slices.Chunk(all, each) {
		var m sample
		var took []time.Duration
		for _, s := range part {
			took = append(took, s.took)
			m.memory, m.threads, m.files = max(m.memory, s.memory), max(m.threads, s.threads), max(m.files, s.files)
			m.cached, m.entries = max(m.cached, s.cached), max(m.entries, s.entries)
			m.temporary, m.changed = max(m.temporary, s.temporary), max(m.changed, s.changed)
		}
		slices.Sort(took)
		fmt.Fprintf(&b, "| %d to %d | %.1f | %.1f | %d | %d | %.1f | %d | %d | %d |\n", done+1, done+len(part), took[len(took)/2].Seconds(),
			mebi(m.memory), m.threads, m.files, mebi(uint64(m.cached)), m.entries, m.temporary, m.changed)
		done += len(part)
	}
	return b.String()
}
