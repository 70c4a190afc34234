package matrix

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Selection narrows the matrix. Each text is a comma-separated list. An empty one narrows
// nothing.
type Selection struct {
	Arch   string // any name of an architecture
	Cell   string // names of cells or of groups, or patterns of cells' names
	Kernel string // kernel series
	Skip   string // names of cells or of groups, or patterns, to leave out
	All    bool   // also select cells with a tier or a group that nothing asks for
}

// Names returns the words of a list.
func Names(list string) []string { return split(list) }

// IsPattern reports whether a word is a pattern, and no name.
func IsPattern(word string) bool { return strings.ContainsAny(word, "*?[") }

// Matches reports whether a word of a list is a name or a pattern of it, as path.Match has them.
func Matches(word, name string) bool {
	ok, err := path.Match(word, name)
	return word == name || ok && err == nil
}

// Select returns the cells that every field of s allows, in the file's order. It leaves out
// cells with a tier unless s has an architecture or a name. It leaves out cells with a group
// unless s names the cell or the group. A pattern names them if it matches no others.
// With All it leaves out none of them. A word that matches nothing is an error that lists the
// valid names.
func Select(cells []Cell, s Selection) ([]Cell, error) {
	asked := split(s.Arch)
	for i, name := range asked {
		rec, err := arch.Lookup(name)
		if err != nil || !slices.ContainsFunc(cells, func(c Cell) bool { return c.About(rec.GOARCH) }) {
			return nil, unknown("architecture", name, cells, func(c Cell) string { return c.For }, func(c Cell) string { return c.Arch })
		}
		asked[i] = rec.GOARCH
	}
	byCell, err := named("cell", s.Cell, cells, false, func(c Cell) string { return c.Group }, func(c Cell) string { return c.Name })
	if err != nil {
		return nil, err
	}
	bySeries, err := named("kernel series", s.Kernel, cells, true, func(c Cell) string { return c.Kernel.Series })
	if err != nil {
		return nil, err
	}
	skipped, err := named("cell", s.Skip, cells, true, func(c Cell) string { return c.Group }, func(c Cell) string { return c.Name })
	if err != nil {
		return nil, err
	}
	var chosen []Cell
	for _, c := range cells {
		if skipped[c.Name] || c.Group != "" && skipped[c.Group] {
			continue
		}
		inGroup := c.Group != "" && byCell[c.Group]
		unasked := c.Tier != "" && len(asked)+len(byCell) == 0 || c.Group != "" && !inGroup && !byCell[c.Name]
		if unasked && !s.All {
			continue
		}
		if (len(asked) == 0 || slices.ContainsFunc(asked, c.About)) && (inGroup || allows(byCell, c.Name)) && allows(bySeries, c.Kernel.Series) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		without := ""
		if s.Skip != "" {
			without = fmt.Sprintf(" without %q", s.Skip)
		}
		return nil, fmt.Errorf("no cell matches arch %q, cell %q and kernel %q together%s; `mapstack list` shows the cells", s.Arch, s.Cell, s.Kernel, without)
	}
	return chosen, nil
}

func allows(set map[string]bool, value string) bool { return len(set) == 0 || set[value] }

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func has(cells []Cell, field func(Cell) string, value string) bool {
	for _, c := range cells {
		if field(c) == value {
			return true
		}
	}
	return false
}

// named returns the values of fields that a list names. A pattern is one of the last field; for
// asideToo see matching.
func named(what, list string, cells []Cell, asideToo bool, fields ...func(Cell) string) (map[string]bool, error) {
	set := map[string]bool{}
	for _, word := range split(list) {
		found := []string{word}
		if IsPattern(word) {
			if _, err := path.Match(word, ""); err != nil {
				return nil, fmt.Errorf("%s %q is no pattern: %w; close its bracket", what, word, err)
			}
			found = matching(word, cells, asideToo, fields[len(fields)-1])
		} else if !slices.ContainsFunc(fields, func(field func(Cell) string) bool { return has(cells, field, word) }) {
			found = nil
		}
		if len(found) == 0 {
			return nil, unknown(what, word, cells, fields...)
		}
		for _, name := range found {
			set[name] = true
		}
	}
	return set, nil
}

// matching returns the values of a field that a pattern matches. Cells with a tier or a group
// run only if something asks for them: without asideToo they are among the values only if the
// pattern matches no others.
func matching(pattern string, cells []Cell, asideToo bool, field func(Cell) string) (found []string) {
	var aside []string
	for _, c := range cells {
		switch {
		case !Matches(pattern, field(c)):
		case !asideToo && (c.Group != "" || c.Tier != ""):
			aside = append(aside, field(c))
		default:
			found = append(found, field(c))
		}
	}
	if found == nil {
		return aside
	}
	return found
}

func unknown(what, name string, cells []Cell, fields ...func(Cell) string) error {
	valid := map[string]bool{}
	for _, c := range cells {
		for _, field := range fields {
			valid[field(c)] = true
		}
	}
	names := make([]string, 0, len(valid))
	for n := range valid {
		if n != "" {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	return fmt.Errorf("unknown %s %q; valid are: %s", what, name, strings.Join(names, ", "))
}
