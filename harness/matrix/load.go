package matrix

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/strictyaml"
)

// Bounds of a cell. A value outside them is taken for a typing error.
const (
	MinMemoryMiB, MaxMemoryMiB = 128, 16384
	MaxCPUs                    = 64
)

var (
	cellName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}$`)
	configName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	series     = regexp.MustCompile(`^([0-9]+\.[0-9]+|newest)$`)
)

// ValidName reports whether a cell can have a name. It is also the name of a folder, and a
// word of commands.
func ValidName(name string) bool { return cellName.MatchString(name) }

// file is the name of the matrix in the fixtures.
const file = "cells.yaml"

// Load reads the matrix from the fixtures.
func Load(fixtures fs.FS) ([]Cell, error) {
	data, err := fs.ReadFile(fixtures, file)
	if err != nil {
		return nil, fmt.Errorf("read the matrix: %w", err)
	}
	return Parse("fixtures/"+file, data)
}

// Parse reads a cells file. Its errors give the file's name, the line, and what is allowed
// there.
func Parse(file string, data []byte) ([]Cell, error) {
	var doc struct {
		Cells []Cell `yaml:"cells"`
	}
	if err := strictyaml.Decode(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var problems []error
	seen := map[string]bool{}
	for i, c := range doc.Cells {
		for _, problem := range c.problems() {
			problems = append(problems, at(file, data, i, fmt.Sprintf("cell %q: %s", c.Name, problem)))
		}
		if seen[c.Name] {
			problems = append(problems, at(file, data, i, fmt.Sprintf("cell %q: the name is used twice; names must be unique", c.Name)))
		}
		seen[c.Name] = true
	}
	for i, c := range doc.Cells {
		if seen[c.Group] {
			problems = append(problems, at(file, data, i, fmt.Sprintf("cell %q: group %q is the name of a cell; --cell must tell them apart", c.Name, c.Group)))
		}
	}
	if len(doc.Cells) == 0 {
		problems = append(problems, fmt.Errorf("%s: no cells; the file must have a list named cells", file))
	}
	return doc.Cells, errors.Join(problems...)
}

// problems returns everything that is wrong with a cell. Each text says what is allowed.
func (c Cell) problems() (found []string) {
	bad := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if !cellName.MatchString(c.Name) {
		bad("name must be 1 to 64 of a-z, 0-9, dot and dash, starting with a letter or digit")
	}
	if c.OS == "" {
		bad("os is missing; give the distribution's name")
	}
	switch k := c.Kernel; k.From {
	case Archive, Source:
		if k.Suite == "" || k.Package == "" {
			bad("kernel needs a suite and a package")
		}
		if !series.MatchString(k.Series) {
			bad("kernel series %q must be like \"6.1\", or newest", k.Series)
		}
		if (k.From == Source) != (len(k.Config) > 0) {
			bad("kernel config must name what a kernel from %s is built with, and be left out for others", Source)
		}
		for _, name := range k.Config {
			if !configName.MatchString(name) {
				bad("kernel config %q must be the name of a file in fixtures without .config", name)
			}
		}
	case Supplied:
		if k.known() {
			bad("a supplied kernel must have no suite, package, series or config: nobody knows which kernel it will be")
		}
	default:
		bad("kernel from %q must be %s or %s, or left out", k.From, Source, Supplied)
	}
	switch c.PageSize {
	case 4096, 8192, 16384, 65536:
	default:
		bad("pageSize %d must be 4096, 8192, 16384 or 65536", c.PageSize)
	}
	if c.Memory < MinMemoryMiB || c.Memory > MaxMemoryMiB {
		bad("memoryMiB %d must be %d to %d", c.Memory, MinMemoryMiB, MaxMemoryMiB)
	}
	for _, s := range c.Policy {
		if err := s.Check(); err != nil {
			bad("%v", err)
		}
	}
	for _, p := range c.Params {
		if err := CheckParam(p); err != nil {
			bad("%v", err)
		}
	}
	if c.Group != "" && !cellName.MatchString(c.Group) {
		bad("group %q must be like the name of a cell", c.Group)
	}
	if c.Tier != "" && !slices.Contains(Tiers(), c.Tier) {
		bad("tier %q must be one of %s, or left out", c.Tier, Tiers())
	}
	if known, err := arch.Lookup(c.For); (c.Tier == "") != (c.For == "") || c.For != "" && (err != nil || known.GOARCH != c.For) {
		bad("for %q must be a GOARCH where there is a tier, and left out where there is none; known are %s", c.For, strings.Join(arch.Names(), ", "))
	}
	rec, err := arch.Lookup(c.Arch)
	if err != nil {
		bad("%v", err)
		return found
	}
	if rec.GOARCH != c.Arch {
		bad("arch %q must be written %s, its GOARCH", c.Arch, rec.GOARCH)
	}
	m, err := rec.Machine(c.Machine)
	if err != nil {
		bad("%v", err)
		return found
	}
	if m.FiveLevels && c.Kernel.From != Archive {
		bad("machine %q needs the bzImage of a package, so the kernel must come from an archive", c.Machine)
	}
	if c.CPUs < 1 || c.CPUs > min(m.MaxCPUs, MaxCPUs) {
		bad("cpus %d must be 1 to %d on machine %s", c.CPUs, min(m.MaxCPUs, MaxCPUs), m.Name)
	}
	return found
}

// at returns a problem of cell number i as an error with the file and the cell's line.
func at(file string, data []byte, i int, problem string) error {
	return fmt.Errorf("%s: %s", where(file, lineOf(document(data), fmt.Sprintf("$.cells[%d]", i))), problem)
}

// document parses YAML that was decoded before, for the lines of its nodes.
func document(data []byte) *ast.File {
	parsed, err := parser.ParseBytes(data, 0)
	if err != nil {
		return &ast.File{}
	}
	return parsed
}

// lineOf returns the line of a node; 0 if it cannot be told.
func lineOf(doc *ast.File, node string) int {
	p, err := yaml.PathString(node)
	if err != nil {
		return 0
	}
	n, err := p.FilterFile(doc)
	if err != nil || n.GetToken() == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// where names a line of a file, or the file where the line is not known.
func where(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}
