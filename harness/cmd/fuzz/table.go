package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// table says what each target did in all its runs, by its name.
type table map[string]sums

// sums are, in this order: seconds, seconds of CPU, executions, inputs that were kept, and
// inputs that failed.
type sums [5]uint64

const head = `# Fuzzing

Written by ` + "`make fuzz FUZZ_TABLE=fixtures/fuzz.md`" + `, which adds to it; do not edit. An input that failed is in the
testdata of its package, where ` + "`make test`" + ` tries it again.

| target | seconds | seconds of CPU | executions | inputs kept | inputs that failed |
|---|---|---|---|---|---|
`

func (t table) add(r result) {
	did := sums{uint64(r.wall.Seconds()), uint64(r.cpu.Seconds()), r.executions, r.kept}
	if r.problem != nil {
		did[4] = 1
	}
	s := t[r.target.String()]
	for i := range s {
		s[i] += did[i]
	}
	t[r.target.String()] = s
}

func (t table) String() string {
	var b strings.Builder
	b.WriteString(head)
	var all sums
	for _, name := range slices.Sorted(maps.Keys(t)) {
		b.WriteString(rowOf(name, t[name]))
		for i, n := range t[name] {
			all[i] += n
		}
	}
	b.WriteString(rowOf("all", all))
	return b.String()
}

func rowOf(name string, s sums) string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d |\n", name, s[0], s[1], s[2], s[3], s[4])
}

func (t table) write(file string) error { return renameio.WriteFile(file, []byte(t.String()), 0o644) }

// readTable reads what write wrote. A file that does not exist is an empty table.
func readTable(file string) (table, error) {
	t := table{}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	_, rows, ok := strings.Cut(string(b), "|---|---|---|---|---|---|\n")
	if !ok {
		return nil, fmt.Errorf("%s is not a table that this program wrote; name another file", file)
	}
	for line := range strings.Lines(rows) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 1+len(sums{}) {
			return nil, fmt.Errorf("%s: %q is no row of a table that this program wrote", file, strings.TrimSpace(line))
		}
		var s sums
		for i := range s {
			if s[i], err = strconv.ParseUint(cells[1+i], 10, 64); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		if cells[0] != "all" {
			t[cells[0]] = s
		}
	}
	return t, nil
}
