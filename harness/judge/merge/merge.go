// Package merge makes one run of several that ran on different machines.
package merge

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/evidence"
)

// Part is a finished run.
type Part struct {
	Folder string // where its evidence is, for errors
	Run    evidence.Run
	Cells  []evidence.CellRun
	Flags  map[string][]string // that decide what was run, by name
}

// Join returns the run that the parts are. It refuses parts that are not of one run, a cell
// that two parts have, and a cell that was planned and that no part has. The parts are shards
// of one run, or whole runs of different cells.
func Join(parts []Part) (whole evidence.Run, cells []evidence.CellRun, err error) {
	if len(parts) == 0 {
		return whole, nil, errors.New("there is nothing to merge; name the folders of finished runs, such as out/*")
	}
	by := map[string]evidence.CellRun{}
	from := map[string]string{}
	for _, p := range parts {
		if err := p.ended(); err != nil {
			return whole, nil, err
		}
		if err := alike(parts[0], p); err != nil {
			return whole, nil, err
		}
		for _, c := range p.Cells {
			if other, twice := from[c.Cell.Name]; twice {
				return whole, nil, fmt.Errorf("%s and %s both have cell %s; leave one of them out", other, p.Folder, c.Cell.Name)
			}
			from[c.Cell.Name], by[c.Cell.Name] = p.Folder, c
		}
	}
	order, err := planned(parts, from)
	if err != nil {
		return whole, nil, err
	}
	whole = joined(parts)
	for _, name := range order {
		cells = append(cells, by[name])
		whole.Cells = append(whole.Cells, by[name].Cell)
	}
	whole.Matrix, err = matrices(parts, order)
	return whole, cells, err
}

// ended refuses a part that did not come to its end.
func (p Part) ended() error {
	for _, c := range p.Cells {
		if p.Run.Finished.IsZero() || !c.Ended() {
			return fmt.Errorf("the run in %s was stopped before cell %s ended; go on with it first: mapstack run --resume %s", p.Folder, c.Cell.Name, p.Folder)
		}
	}
	return nil
}

// alike refuses two parts that are not of one run.
func alike(a, b Part) error {
	for _, p := range []struct{ what, a, b string }{
		{"the version of the suites", a.Run.Version, b.Run.Version},
		{"the revision of mapstack", a.Run.Revision, b.Run.Revision},
		{"the focus", a.Run.Focus, b.Run.Focus},
		{"the injected defect", a.Run.Defect, b.Run.Defect},
		{"the product", a.Run.Product.String(), b.Run.Product.String()},
		{"the number of shards", shards(a.Run), shards(b.Run)},
	} {
		if p.a != p.b {
			return fmt.Errorf("%s and %s are not of one run: %s is %q in the first and %q in the second", a.Folder, b.Folder, p.what, p.a, p.b)
		}
	}
	if a.Run.Shard == nil {
		return nil
	}
	if !slices.Equal(a.Run.Shard.Cells, b.Run.Shard.Cells) {
		return fmt.Errorf("%s and %s are not of one run: their shards are parts of different selections of cells", a.Folder, b.Folder)
	}
	for _, flags := range []map[string][]string{a.Flags, b.Flags} {
		for _, name := range slices.Sorted(maps.Keys(flags)) {
			if !slices.Equal(a.Flags[name], b.Flags[name]) {
				return fmt.Errorf("%s and %s are not of one run: --%s is %q in the first and %q in the second", a.Folder, b.Folder, name, a.Flags[name], b.Flags[name])
			}
		}
	}
	return nil
}

func shards(r evidence.Run) string {
	if r.Shard == nil {
		return "not sharded"
	}
	return fmt.Sprint(r.Shard.Of)
}

// planned returns the names of the cells in the order of the whole run. from says which part
// has a cell.
func planned(parts []Part, from map[string]string) (order []string, err error) {
	first := parts[0].Run.Shard
	if first == nil {
		for _, p := range parts {
			for _, c := range p.Cells {
				order = append(order, c.Cell.Name)
			}
		}
		return order, nil
	}
	there := map[int]bool{}
	for _, p := range parts {
		there[p.Run.Shard.Index] = true
	}
	var absent, gaps []string
	for i := 1; i <= min(first.Of, len(first.Cells)); i++ {
		if !there[i] {
			absent = append(absent, evidence.Shard{Index: i, Of: first.Of}.String())
		}
	}
	for _, name := range first.Cells {
		if from[name] == "" {
			gaps = append(gaps, name)
		}
	}
	if len(gaps) > 0 {
		why := "the shards that are there should have them"
		if len(absent) > 0 {
			why = "shard " + strings.Join(absent, ", shard ") + " is missing"
		}
		return nil, fmt.Errorf("no folder has cell %s, which the run is about: %s", strings.Join(gaps, ", cell "), why)
	}
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if !slices.Contains(first.Cells, name) {
			return nil, fmt.Errorf("%s has cell %s, and the run that it is a shard of has no such cell", from[name], name)
		}
	}
	return first.Cells, nil
}

// matrices returns the matrix file that cells of the parts are from; nil for none. Its cells are
// in the order of the whole run.
func matrices(parts []Part, order []string) (*evidence.Matrix, error) {
	var all *evidence.Matrix
	var named Part // the first with a file
	var cells []string
	for _, p := range parts {
		m := p.Run.Matrix
		if m == nil {
			continue
		}
		cells = append(cells, m.Cells...)
		if all == nil {
			file := *m
			all, named = &file, p
		} else if all.File != m.File || !reflect.DeepEqual(all.Known, m.Known) || !reflect.DeepEqual(all.Lines, m.Lines) || !reflect.DeepEqual(all.Deviations, m.Deviations) {
			return nil, fmt.Errorf("%s and %s are not of one run: their matrix files %s and %s differ, in their names, their known failures or their deviations", named.Folder, p.Folder, all.File, m.File)
		}
	}
	if all != nil {
		all.Cells = slices.DeleteFunc(slices.Clone(order), func(name string) bool { return !slices.Contains(cells, name) })
	}
	return all, nil
}

// joined returns what is said of the whole run, without its cells.
func joined(parts []Part) evidence.Run {
	whole := parts[0].Run
	whole.Shard, whole.Cells, whole.Warnings = nil, nil, nil
	whole.CPUSeconds, whole.ResidentBytes = 0, 0
	for _, p := range parts {
		if !slices.Equal(p.Run.Asked, whole.Asked) {
			whole.Asked = nil // runs that are no shards may have had others
		}
		if p.Run.Started.Before(whole.Started) {
			whole.Started = p.Run.Started
		}
		if p.Run.Finished.After(whole.Finished) {
			whole.Finished = p.Run.Finished
		}
		whole.CPUSeconds += p.Run.CPUSeconds
		whole.ResidentBytes = max(whole.ResidentBytes, p.Run.ResidentBytes)
		whole.Warnings = append(whole.Warnings, p.Run.Warnings...)
	}
	whole.Warnings = slices.Compact(slices.Sorted(slices.Values(whole.Warnings)))
	return whole
}
