package matrix

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Selection narrows the matrix. Each text is a comma-separated list. An empty one narrows
// nothing.
type Selection struct {
	Arch   string // any name of an architecture
	Cell   string // names of cells, or of groups
	Kernel string // kernel series
	All    bool   // also select cells with a tier or a group that nothing asks for
}

// Select returns the cells that every field of s allows, in the file's order. It leaves out
// cells with a tier unless s has an architecture or a name. It leaves out cells with a group
// unless s names the cell or the group. With All it leaves out none of them. A name that
// matches nothing is an error that lists the valid names.
func Select(cells []Cell, s Selection) ([]Cell, error) {
	asked := split(s.Arch)
	for i, name := range asked {
		rec, err := arch.Lookup(name)
		if err != nil || !slices.ContainsFunc(cells, func(c Cell) bool { return c.About(rec.GOARCH) }) {
			return nil, unknown("architecture", name, cells, func(c Cell) string { return c.For }, func(c Cell) string { return c.Arch })
		}
		asked[i] = rec.GOARCH
	}
	byCell, err := named("cell", s.Cell, cells, func(c Cell) string { return c.Group }, func(c Cell) string { return c.Name })
	if err != nil {
		return nil, err
	}
	bySeries, err := named("kernel series", s.Kernel, cells, func(c Cell) string { return c.Kernel.Series })
	if err != nil {
		return nil, err
	}
	var chosen []Cell
	for _, c := range cells {
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
		return nil, fmt.Errorf("no cell matches arch %q, cell %q and kernel %q together; `mapstack list` shows the cells", s.Arch, s.Cell, s.Kernel)
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

func named(what, list string, cells []Cell, fields ...func(Cell) string) (map[string]bool, error) {
	set := map[string]bool{}
	for _, name := range split(list) {
		if !slices.ContainsFunc(fields, func(field func(Cell) string) bool { return has(cells, field, name) }) {
			return nil, unknown(what, name, cells, fields...)
		}
		set[name] = true
	}
	return set, nil
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
