package matrixfile

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/strictyaml"
)

// The bounds of a matrix file.
const (
	maxFile  = 1 << 20 // bytes
	maxCells = 1000    // after globs
)

// Surroundings are what a matrix file refers to.
type Surroundings struct {
	// Getenv returns a variable of the environment; false if it is not set.
	Getenv func(string) (string, bool)
	// Glob returns the files that a pattern matches, as filepath.Glob does.
	Glob func(pattern string) ([]string, error)
	// Builtin is the built-in matrix.
	Builtin []matrix.Cell
}

// Parse reads a matrix file. Its error has a line for everything that is wrong: the file, the
// line, and what is allowed there.
func Parse(file string, data []byte, around Surroundings) (m Matrix, err error) {
	defer func() {
		if problem := recover(); problem != nil { // the library panics on some files that are no YAML
			err = fmt.Errorf("%s: %w", file, strictyaml.Unreadable(problem))
		}
	}()
	if len(data) > maxFile {
		return m, fmt.Errorf("%s: the file is larger than %d KiB", file, maxFile>>10)
	}
	parsed, err := parser.ParseBytes(data, 0)
	if err != nil {
		return m, fmt.Errorf("%s: %s", file, yaml.FormatError(err, false, true))
	}
	if len(parsed.Docs) != 1 || parsed.Docs[0].Body == nil {
		return m, fmt.Errorf("%s: the file must be one YAML document with a list named cells; mapstack init writes one to begin with", file)
	}
	d := &decoder{getenv: around.Getenv}
	var f File
	d.read(parsed.Docs[0].Body, "the file", reflect.ValueOf(&f).Elem())
	r := &resolver{decoder: d, file: file, around: around}
	m = Matrix{File: file, Cells: r.cells(f)}
	m.Deviations = r.deviations(f.Deviations, m.Cells)
	var wrong []error
	for _, p := range d.sorted() {
		wrong = append(wrong, fmt.Errorf("%s: %s", r.place(p.line), p.what))
	}
	for _, k := range f.Known {
		m.Known, m.Lines = append(m.Known, k.KnownFailure), append(m.Lines, k.lines)
	}
	if len(wrong) == 0 { // else a missing cell would be told twice
		_, err := matrix.NewKnown(file, m.Known, m.Lines, m.Planned())
		wrong = append(wrong, err)
	}
	return m, errors.Join(wrong...)
}

// deviations returns those of the file. Everything that is wrong with one is noted.
func (r *resolver) deviations(listed []Exception, cells []Cell) (all []matrix.Deviation) {
	broken := len(r.problems) > 0 // a cell that is missing is told once
	for _, e := range listed {
		if err := e.Check(); err != nil {
			r.bad(e.line, "deviation: %v", err)
			continue
		}
		for _, glob := range e.Cells {
			if !broken && !slices.ContainsFunc(cells, func(c Cell) bool { return matrix.Matches(glob, c.Name) }) {
				r.bad(e.line, "deviation of claim %q: %q matches no cell; mapstack list shows the cells", e.Claim, glob)
			}
		}
		for _, c := range cells {
			if e.Covers(e.Claim, c.Name) && slices.ContainsFunc(all, func(d matrix.Deviation) bool { return d.Covers(e.Claim, c.Name) }) {
				r.bad(e.line, "deviation of claim %q: cell %s is in an earlier deviation of this claim; one entry must have it", e.Claim, c.Name)
			}
		}
		all = append(all, e.From(filepath.Base(r.file)))
	}
	return all
}

// Planned returns the cells as far as the file alone says what they are.
func (m Matrix) Planned() []matrix.Cell {
	cells := make([]matrix.Cell, len(m.Cells))
	for i, c := range m.Cells {
		cells[i] = c.Planned()
	}
	return cells
}

// resolver makes cells of entries.
type resolver struct {
	*decoder
	file   string
	around Surroundings
}

// place names a line of the file.
func (r *resolver) place(line int) string {
	if line == 0 {
		return r.file
	}
	return fmt.Sprintf("%s:%d", r.file, line)
}

// cells returns the cells of a file. Everything that is wrong with one is noted.
func (r *resolver) cells(f File) (all []Cell) {
	if len(f.Cells) == 0 && len(r.problems) == 0 {
		r.bad(0, "no cells; the file must have a list named cells")
	}
	for _, name := range slices.Sorted(maps.Keys(f.Shared)) {
		if shared := f.Shared[name]; shared.Extends != "" {
			r.bad(shared.at["extends"], "shared.%s must not extend others; a cell can", name)
		}
	}
	names := map[string]int{}
	for _, e := range f.Cells {
		if e.line == 0 {
			continue // no entry at all, which is noted
		}
		shared, known := f.Shared[e.Extends]
		if e.Extends != "" && !known {
			r.bad(e.at["extends"], "extends %q is not in shared, which has %s", e.Extends, orNone(f.Shared))
		}
		for _, c := range r.expand(extended(e, shared)) {
			if before, taken := names[c.Name]; taken {
				r.bad(e.line, "cell %q: line %d has a cell of this name too; names must be unique", c.Name, before)
			}
			names[c.Name] = e.line
			if all = append(all, c); len(all) > maxCells {
				r.bad(e.line, "the file makes more than %d cells; narrow a glob", maxCells)
				return all
			}
		}
	}
	return all
}

// extended returns an entry with the shared fields that it does not have itself.
func extended(e, shared Entry) Entry {
	into, from := reflect.ValueOf(&e).Elem(), reflect.ValueOf(shared)
	for _, f := range reflect.VisibleFields(into.Type()) {
		name := tag(f)
		if at, there := shared.at[name]; there && e.at[name] == 0 && f.IsExported() {
			into.FieldByIndex(f.Index).Set(from.FieldByIndex(f.Index))
			e.at[name] = at
		}
	}
	return e
}

// orNone lists the names of shared fields.
func orNone(shared map[string]Entry) string {
	if len(shared) == 0 {
		return "nothing"
	}
	return list(slices.Sorted(maps.Keys(shared)))
}

// near returns a path of the file as one of the current folder.
func (r *resolver) near(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	joined := filepath.Join(filepath.Dir(r.file), path)
	if !filepath.IsAbs(joined) && filepath.Dir(joined) == "." {
		return "./" + joined // it is a file, and never the name of something
	}
	return joined
}
