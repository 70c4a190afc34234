package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/assemble"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/local"
	"github.com/mapstack/conformance/harness/matrix/matrixfile"
	"github.com/mapstack/conformance/harness/matrix/osname"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/suites"
)

// matrixUsage explains --matrix, which means the same to every command.
const matrixUsage = "file with cells of your own (default: " + matrixfile.Name + " in the current folder, if there is one); none for the built-in matrix. mapstack init writes one"

// noMatrix is the value of --matrix for the built-in matrix.
const noMatrix = "none"

// matrixFlag adds --matrix to a command.
func (s *selection) matrixFlag(cmd *cobra.Command) {
	s.discovers = true
	cmd.Flags().StringVar(&s.matrix, "matrix", "", matrixUsage)
}

// chosen is what a command line selects.
type chosen struct {
	// file is the matrix file; nil for the built-in matrix alone.
	file *matrixfile.Matrix
	// found says that the file was not named, but is in the current folder.
	found    bool
	subjects []subject.Subject
	cells    []matrix.Cell // of the subjects, as far as they are known
}

// chosen returns what the flags select: of the matrix file if there is one, else of the built-in
// matrix. With a matrix file, cells of the built-in matrix can be selected by their names.
func (s *selection) chosen() (chosen, error) {
	var c chosen
	builtin, err := matrix.Load(fixtures.FS())
	if err == nil {
		builtin, err = workbench.Bundled(builtin)
	}
	if err != nil {
		return c, err
	}
	if c.file, c.found, err = s.file(builtin); err != nil {
		return c, err
	}
	switch {
	case s.os != "":
		if err = c.products(s); err == nil {
			err = c.without(s.Skip)
		}
	case c.file == nil:
		var cells []matrix.Cell
		if cells, err = matrix.Select(builtin, s.Selection); err == nil {
			c.add(subject.Cells(cells)...)
		}
	default:
		err = c.listed(s, builtin)
	}
	return c, err
}

// add adds subjects whose cells are known before they are bound.
func (c *chosen) add(subjects ...subject.Subject) {
	for _, s := range subjects {
		c.subjects = append(c.subjects, s)
		switch s := s.(type) {
		case subject.Cell:
			c.cells = append(c.cells, s.Cell)
		case subject.Planner:
			c.cells = append(c.cells, s.Planned())
		}
	}
}

// file reads the matrix file; nil for none. found says that it was not named.
func (s *selection) file(builtin []matrix.Cell) (m *matrixfile.Matrix, found bool, err error) {
	name := s.matrix
	if !s.discovers || name == noMatrix {
		return nil, false, nil
	}
	if name == "" {
		info, err := os.Lstat(matrixfile.Name)
		if err != nil || !info.Mode().IsRegular() {
			return nil, false, nil
		}
		// The file may name programs to run, and the current folder may be anybody's.
		if err := local.Mine(matrixfile.Name, "name it with --matrix to use it all the same, or give --matrix none"); err != nil {
			return nil, false, err
		}
		name, found = matrixfile.Name, true
	}
	text, err := readInput("matrix file", name)
	if err != nil {
		return nil, false, err
	}
	read, err := matrixfile.Parse(name, text, matrixfile.Surroundings{Getenv: os.LookupEnv, Glob: filepath.Glob, Builtin: builtin})
	if err != nil {
		return nil, false, err
	}
	known, err := matrix.NewKnown(name, read.Known, read.Lines, read.Planned())
	if err == nil {
		err = assemble.CheckKnown(known, suites.Claims())
	}
	if err == nil {
		err = suites.CheckDeviations(read.Deviations, read.Planned())
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, err)
	}
	return &read, found, nil
}

// listed selects cells of the file. A cell of the built-in matrix must be named.
func (c *chosen) listed(s *selection, builtin []matrix.Cell) error {
	own := map[string]subject.Subject{}
	var pool []matrix.Cell
	for _, cell := range c.file.Cells {
		l := subject.Listed{Cell: cell}
		own[cell.Name], pool = l, append(pool, l.Planned())
	}
	if err := told(c.file.Cells, s.Selection); err != nil {
		return err
	}
	asked := s.Selection
	if s.Cell == "" {
		asked.All = true // what the file lists is asked for
	} else {
		pool = append(pool, slices.DeleteFunc(builtin, func(b matrix.Cell) bool { return own[b.Name] != nil || onlyByPattern(s.Cell, b, pool) })...)
	}
	cells, err := matrix.Select(pool, asked)
	if err != nil {
		return err
	}
	for _, cell := range cells {
		if l := own[cell.Name]; l != nil {
			c.add(l)
		} else {
			c.add(subject.Cell{Cell: cell})
		}
	}
	return nil
}

// onlyByPattern reports whether patterns alone select a cell of the built-in matrix, and all of
// them match cells of the file, too. A pattern then means these.
func onlyByPattern(list string, builtin matrix.Cell, own []matrix.Cell) (only bool) {
	for _, word := range matrix.Names(list) {
		switch {
		case word == builtin.Name || word == builtin.Group:
			return false
		case matrix.IsPattern(word) && matrix.Matches(word, builtin.Name):
			only = true
			if !slices.ContainsFunc(own, func(c matrix.Cell) bool { return matrix.Matches(word, c.Name) }) {
				return false
			}
		}
	}
	return only
}

// told returns an error if a selection needs to know what cells of a file do not say.
func told(cells []matrixfile.Cell, s matrix.Selection) error {
	var problems []error
	named := matrix.Names(s.Cell)
	for _, cell := range cells {
		if len(named) > 0 && !slices.ContainsFunc(named, func(word string) bool { return matrix.Matches(word, cell.Name) }) {
			continue
		}
		if p := (subject.Listed{Cell: cell}).Planned(); s.Arch != "" && p.Arch == "" {
			problems = append(problems, fmt.Errorf("%s: cell %s does not say its arch, by which --arch selects; add arch", cell.Place, cell.Name))
		} else if s.Kernel != "" && p.Kernel.Series == "" {
			problems = append(problems, fmt.Errorf("%s: cell %s does not say its series, by which --kernel selects; add series", cell.Place, cell.Name))
		}
	}
	return errors.Join(problems...)
}

// products selects the products of an operating system. An entry of the file supplies one, or
// else a variable of the environment. The others are cells that nobody supplied.
func (c *chosen) products(s *selection) error {
	if s.Cell != "" {
		return errors.New("--os selects cells by their system; leave out --cell")
	}
	products, err := osname.Products(s.os)
	if err != nil {
		return err
	}
	family := products[0].OS
	var cells []matrixfile.Cell
	supplied := map[string]bool{}
	if c.file != nil {
		for _, cell := range c.file.Cells {
			i := slices.IndexFunc(products, func(p osname.System) bool { return strings.EqualFold(p.ID, cell.OS) })
			of, err := osname.Lookup(cell.OS)
			if i >= 0 {
				supplied[products[i].ID] = true
			} else if err != nil || of.ID != family || len(products) == 1 {
				continue
			}
			cells = append(cells, cell)
		}
	}
	for _, p := range products {
		if value := os.Getenv(p.Variable()); value != "" && !supplied[p.ID] {
			found, err := fromVariable(p, value)
			if err != nil {
				return err
			}
			cells, supplied[p.ID] = append(cells, found...), true
		}
	}
	if err := told(cells, s.Selection); err != nil {
		return err
	}
	kept := map[string]bool{}
	if len(cells) > 0 {
		chosen, err := matrix.Select(matrixfile.Matrix{Cells: cells}.Planned(), matrix.Selection{Arch: s.Arch, Kernel: s.Kernel, All: true})
		if err != nil {
			return err
		}
		for _, cell := range chosen {
			kept[cell.Name] = true
		}
	}
	for _, cell := range cells {
		if kept[cell.Name] {
			c.add(subject.Listed{Cell: cell})
		}
	}
	for _, p := range products {
		if !supplied[p.ID] {
			u := subject.Unsupplied{System: p}
			if c.file != nil {
				u.File = c.file.File
			}
			c.add(u)
		}
	}
	return nil
}

// fromVariable returns the cells of the images that the variable of a product names.
func fromVariable(p osname.System, value string) ([]matrixfile.Cell, error) {
	text := fmt.Sprintf("cells: [{name: %q, os: %q, osImage: %q}]", p.ID, p.ID, value)
	if !filepath.IsAbs(value) {
		here, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		text = fmt.Sprintf("cells: [{name: %q, os: %q, osImage: %q}]", p.ID, p.ID, filepath.Join(here, value))
	}
	m, err := matrixfile.Parse(p.Variable(), []byte(text), matrixfile.Surroundings{Getenv: os.LookupEnv, Glob: filepath.Glob})
	return m.Cells, err
}

// evidence returns what a run keeps of the matrix file; nil if no cell is from one.
func (c chosen) evidence() *evidence.Matrix {
	if c.file == nil {
		return nil
	}
	m := &evidence.Matrix{File: filepath.Base(c.file.File), Known: c.file.Known, Lines: c.file.Lines, Deviations: c.file.Deviations}
	for _, s := range c.subjects {
		if l, ok := s.(subject.Listed); ok && slices.ContainsFunc(c.file.Cells, func(cell matrixfile.Cell) bool { return cell.Name == l.Name }) {
			m.Cells = append(m.Cells, l.Name)
		}
	}
	if len(m.Cells) == 0 {
		return nil
	}
	return m
}

// apart returns the cells of the built-in matrix, and those that only a matrix file has.
func (c chosen) apart() (cells []matrix.Cell, listed []subject.Listed) {
	for _, s := range c.subjects {
		switch s := s.(type) {
		case subject.Cell:
			cells = append(cells, s.Cell)
		case subject.Listed:
			if s.Builtin != nil {
				cells = append(cells, *s.Builtin)
			} else {
				listed = append(listed, s)
			}
		}
	}
	return cells, listed
}

// announce tells the user of a matrix file that nobody named.
func (c chosen) announce(cmd *cobra.Command) {
	if c.found {
		fmt.Fprintf(cmd.ErrOrStderr(), tongue(cmd).Pick("The cells are those of %s in this folder; --matrix none takes the built-in matrix.\n",
			"单元取自本目录的 %s；--matrix none 使用内置矩阵。\n"), matrixfile.Name)
	}
}
