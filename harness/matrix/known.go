package matrix

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/harness/matrix/strictyaml"
)

// KnownFailure says that a claim is known to fail on some cells, why, and until when. It
// changes no outcome and no verdict. It only tells a failure that everybody knows from a
// new one, when a run ends.
type KnownFailure struct {
	// Claim is the ID of a MUST, such as MS-003.
	Claim string `yaml:"claim" json:"claim"`
	// Cells are names of cells, or shell globs as path.Match has them.
	Cells []string `yaml:"cells" json:"cells"`
	// Reason says on one line why the claim fails.
	Reason string `yaml:"reason" json:"reason"`
	// Link says where a reader finds more: docs/PAGE.md#heading, or a URL.
	Link string `yaml:"link" json:"link"`
	// Owner is who looks after the failure; "" for nobody in particular.
	Owner string `yaml:"owner,omitempty" json:"owner,omitempty"`
	// Until is the last day on which the record counts, such as 2027-12-31. A record has Until
	// or FixedIn, or both.
	Until string `yaml:"until,omitempty" json:"until,omitempty"`
	// FixedIn is the first kernel version on which the record does not count, such as 6.12.
	FixedIn string `yaml:"fixedIn,omitempty" json:"fixedIn,omitempty"`

	lines []int // of Cells; 0 where it is not known
}

// KnownFailures are the known failures of one matrix.
type KnownFailures struct {
	file  string
	list  []KnownFailure
	cells map[string]Cell
}

// knownFile is the name of the known failures in the fixtures.
const knownFile = "known-failures.yaml"

// LoadKnown reads the known failures of the built-in matrix. They are about its cells alone,
// and never about a kernel that somebody supplies.
func LoadKnown(fixtures fs.FS) (KnownFailures, error) {
	cells, err := Load(fixtures)
	if err != nil {
		return KnownFailures{}, err
	}
	data, err := fs.ReadFile(fixtures, knownFile)
	if err != nil {
		return KnownFailures{}, fmt.Errorf("read the known failures: %w", err)
	}
	cells = slices.DeleteFunc(cells, func(c Cell) bool { return c.Kernel.From == Supplied })
	return ParseKnown("fixtures/"+knownFile, data, cells)
}

// ParseKnown reads the known failures of a matrix with these cells. Its errors give the
// file's name, the line, and what is allowed there.
func ParseKnown(file string, data []byte, cells []Cell) (KnownFailures, error) {
	var doc struct {
		Known []KnownFailure `yaml:"known"`
	}
	if err := strictyaml.Decode(data, &doc); err != nil {
		return KnownFailures{}, fmt.Errorf("%s: the list known has entries with claim, cells, reason, link, owner, until and fixedIn: %w", file, err)
	}
	parsed := document(data)
	lines := make([]Lines, len(doc.Known))
	for i, f := range doc.Known {
		lines[i].Entry = lineOf(parsed, fmt.Sprintf("$.known[%d]", i))
		for j := range f.Cells {
			lines[i].Cells = append(lines[i].Cells, lineOf(parsed, fmt.Sprintf("$.known[%d].cells[%d]", i, j)))
		}
	}
	return NewKnown(file, doc.Known, lines, cells)
}

// Lines are the lines of a record in its file: of the record, and of each of its cells; 0
// where a line is not known.
type Lines struct {
	Entry int   `json:"entry"`
	Cells []int `json:"cells"`
}

// NewKnown checks the records of a file about these cells, which must be all of its matrix.
// lines are those of the records, in the same order. The errors are as those of ParseKnown.
func NewKnown(file string, list []KnownFailure, lines []Lines, cells []Cell) (KnownFailures, error) {
	return newKnown(file, list, lines, cells, true)
}

// Records is NewKnown for some cells of a matrix: a record may be about none of them.
func Records(file string, list []KnownFailure, lines []Lines, cells []Cell) (KnownFailures, error) {
	return newKnown(file, list, lines, cells, false)
}

func newKnown(file string, list []KnownFailure, lines []Lines, cells []Cell, all bool) (KnownFailures, error) {
	k := KnownFailures{file: file, list: slices.Clone(list), cells: map[string]Cell{}}
	for _, c := range cells {
		k.cells[c.Name] = c
	}
	var problems []error
	for i := range k.list {
		f, line := &k.list[i], 0
		f.lines = make([]int, len(f.Cells))
		if i < len(lines) {
			line = lines[i].Entry
			copy(f.lines, lines[i].Cells)
		}
		found := f.problems()
		if all {
			found = append(found, k.misplaced(i)...)
		}
		for _, problem := range found {
			problems = append(problems, fmt.Errorf("%s: known failure of claim %q: %s", where(file, line), f.Claim, problem))
		}
	}
	return k, errors.Join(problems...)
}

var (
	version   = regexp.MustCompile(`^[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?$`)
	claimID   = regexp.MustCompile(`^[A-Z]{2,8}-[0-9]{3}$`)
	knownLink = regexp.MustCompile(`^(docs/[A-Za-z0-9._-]+\.md#[\w-]+|https?://[^\s/]+/\S*)$`)
)

// maxText is the longest reason or owner, in bytes. Both are printed on one line.
const maxText = 300

// problems returns everything that is wrong with a record by itself. Each text says what is
// allowed.
func (f KnownFailure) problems() (found []string) {
	bad := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if !claimID.MatchString(f.Claim) {
		bad("claim must be the ID of a claim, such as MS-003")
	}
	if len(f.Cells) == 0 {
		bad("cells is empty; name the cells, or use a glob")
	}
	if !oneLine(f.Reason) || f.Reason == "" {
		bad("reason must be one line of at most %d bytes that says why the claim fails", maxText)
	}
	if !oneLine(f.Owner) {
		bad("owner must be one line of at most %d bytes, or left out", maxText)
	}
	if !knownLink.MatchString(f.Link) {
		bad("link %q must be like docs/findings.md#heading, or a URL with http or https", f.Link)
	}
	if f.Until == "" && f.FixedIn == "" {
		bad("neither until nor fixedIn is there; give the last day, such as 2027-12-31, or the kernel version with the cure, such as 6.12")
	}
	if _, err := time.Parse(time.DateOnly, f.Until); f.Until != "" && err != nil {
		bad("until %q must be a day of the calendar, such as 2027-12-31", f.Until)
	}
	if f.FixedIn != "" && !version.MatchString(f.FixedIn) {
		bad("fixedIn %q must be a kernel version, such as 6.12 or 6.12.31", f.FixedIn)
	}
	return found
}

// oneLine reports whether a text is printed on one line and as it is.
func oneLine(s string) bool {
	return len(s) <= maxText && s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' })
}

// misplaced returns what is wrong with the cells of record i: a pattern that matches none,
// or a cell that an earlier record of the claim has.
func (k KnownFailures) misplaced(i int) (found []string) {
	f := k.list[i]
	for _, glob := range f.Cells {
		matched := false
		for name := range k.cells {
			ok, err := path.Match(glob, name)
			if err != nil {
				found = append(found, fmt.Sprintf("cell %q is no name and no shell glob: %v", glob, err))
				matched = true
				break
			}
			matched = matched || ok
		}
		if !matched {
			found = append(found, fmt.Sprintf("%q matches no cell; `mapstack list` shows the cells", glob))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.cells)) {
		for _, earlier := range k.list[:i] {
			if earlier.Claim == f.Claim && earlier.pattern(name) >= 0 && f.pattern(name) >= 0 {
				found = append(found, fmt.Sprintf("cell %s is in an earlier entry of this claim; one entry must have it", name))
			}
		}
	}
	return found
}

// pattern returns the index of the pattern in Cells that matches a cell; -1 for none.
func (f KnownFailure) pattern(cell string) int {
	return slices.IndexFunc(f.Cells, func(glob string) bool {
		ok, err := path.Match(glob, cell)
		return ok && err == nil
	})
}

// Claims returns the IDs of the claims that are known to fail, in the order of the file.
func (k KnownFailures) Claims() (ids []string) {
	for _, f := range k.list {
		ids = append(ids, f.Claim)
	}
	return ids
}

// All returns the entries in the order of the file.
func (k KnownFailures) All() []KnownFailure { return slices.Clone(k.list) }

// Find returns the record of a claim on a cell, and the line of the file that has the cell.
// Cells that only have the name of one in the matrix have no records: a kernel that somebody
// gives or supplies, and a system that runs already.
func (k KnownFailures) Find(claim string, cell Cell) (f KnownFailure, place string, ok bool) {
	own, listed := k.cells[cell.Name]
	if !listed || own.Arch != cell.Arch || own.Host != cell.Host || !reflect.DeepEqual(own.Kernel, cell.Kernel) {
		return KnownFailure{}, "", false
	}
	for _, f := range k.list {
		if i := f.pattern(cell.Name); f.Claim == claim && i >= 0 {
			return f, where(k.file, f.lines[i]), true
		}
	}
	return KnownFailure{}, "", false
}

// Over returns why a record does not count on a day, for a kernel of a release (uname -r);
// "" while it counts. A release that cannot be read does not end it.
func (f KnownFailure) Over(day time.Time, running string) string {
	// The last day ends everywhere at the same time.
	if last, err := time.Parse(time.DateOnly, f.Until); err == nil && !day.UTC().Before(last.AddDate(0, 0, 1)) {
		return "its last day was " + f.Until
	}
	return f.cured(running)
}

// cured returns why a record does not count for a kernel of a release.
func (f KnownFailure) cured(running string) string {
	cure, err := release.Parse(f.FixedIn)
	if err != nil {
		return ""
	}
	is, err := release.Parse(running)
	if err != nil || is.Less(cure) {
		return ""
	}
	return "it counts before Linux " + f.FixedIn + " alone, and this is " + running
}

// About reports whether a record is about a kernel of a release: not about one that has the
// cure.
func (f KnownFailure) About(running string) bool { return f.cured(running) == "" }
