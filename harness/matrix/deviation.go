package matrix

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Deviation records that a claim does not hold on some cells, and why that is accepted. The
// claim's failure stays in the report, and the verdict leaves it out.
type Deviation struct {
	// Claim is the ID of the claim, such as MS-010.
	Claim string `yaml:"claim" json:"claim"`
	// Cells are names of cells, or shell globs as path.Match has them.
	Cells []string `yaml:"cells" json:"cells"`
	// Reason says on one line why the claim does not hold.
	Reason string `yaml:"reason" json:"reason"`
	// Source says where the reason can be checked. A certificate needs docs/PAGE.md#heading or
	// a URL.
	Source string `yaml:"source" json:"source"`
	// Until is the last day on which a certificate accepts the deviation, such as 2027-12-31;
	// "" for no such day.
	Until string `yaml:"until,omitempty" json:"until,omitempty"`

	file string
}

// From returns the deviation with the name of the file that has it.
func (d Deviation) From(file string) Deviation {
	d.file = file
	return d
}

// File returns the name of the file that has the deviation.
func (d Deviation) File() string { return d.file }

// Check returns what is wrong with a deviation by itself; nil if it is valid.
func (d Deviation) Check() error {
	for _, field := range []struct{ name, value string }{
		{"claim", d.Claim}, {"reason", d.Reason}, {"source", d.Source},
	} {
		if strings.TrimSpace(field.value) == "" {
			return fmt.Errorf("%s is empty", field.name)
		}
		if !oneLine(field.value) {
			return fmt.Errorf("%s must be one line of at most %d bytes", field.name, maxText)
		}
	}
	if !claimID.MatchString(d.Claim) {
		return fmt.Errorf("claim %q must be the ID of a claim, such as MS-010", d.Claim)
	}
	if len(d.Cells) == 0 {
		return fmt.Errorf("claim %s: cells is empty; name the cells, or use a glob", d.Claim)
	}
	if _, err := time.Parse(time.DateOnly, d.Until); d.Until != "" && err != nil {
		return fmt.Errorf("claim %s: until %q must be a day of the calendar, such as 2027-12-31", d.Claim, d.Until)
	}
	for _, glob := range d.Cells {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("claim %s: cell glob %q: %w", d.Claim, glob, err)
		}
	}
	return nil
}

// Covers reports whether the deviation is about a claim on a cell.
func (d Deviation) Covers(claim, cell string) bool {
	return d.Claim == claim && slices.ContainsFunc(d.Cells, func(glob string) bool {
		ok, err := path.Match(glob, cell)
		return ok && err == nil
	})
}
