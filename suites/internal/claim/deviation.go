package claim

import (
	"fmt"
	"path"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/strictyaml"
)

// Deviation records that a claim is known not to hold on some cells, and why.
type Deviation = matrix.Deviation

// deviationsFile is the content of fixtures/deviations.yaml.
type deviationsFile struct {
	Deviations []Deviation `yaml:"deviations"`
}

// ParseDeviations reads a deviations file. The error names the file and line.
func ParseDeviations(file string, data []byte) ([]Deviation, error) {
	var f deviationsFile
	if err := strictyaml.Decode(data, &f); err != nil {
		return nil, fmt.Errorf("%s: a deviation has claim, cells, reason, source and until: %w", file, err)
	}
	for i, d := range f.Deviations {
		if err := d.Check(); err != nil {
			return nil, fmt.Errorf("%s: deviation %d: %w", file, i+1, err)
		}
		f.Deviations[i] = d.From(file)
	}
	return f.Deviations, nil
}

// CheckDeviations refuses deviations that can never apply: an unknown claim, a
// glob that matches no cell, or two deviations for the same claim and cell.
func CheckDeviations(devs []Deviation, suites []Suite, cells []string) error {
	known := map[string]bool{}
	for _, a := range suites {
		for _, c := range a.Claims {
			known[c.ID] = true
		}
	}
	taken := map[string]bool{}
	for i, d := range devs {
		if !known[d.Claim] {
			return fmt.Errorf("deviation %d: there is no claim %q", i+1, d.Claim)
		}
		for _, glob := range d.Cells {
			matched := false
			for _, cell := range cells {
				if ok, _ := path.Match(glob, cell); ok {
					matched = true
				}
			}
			if !matched {
				return fmt.Errorf("deviation %d (%s): %q matches no cell", i+1, d.Claim, glob)
			}
		}
		for _, cell := range cells {
			if !d.Covers(d.Claim, cell) {
				continue
			}
			if taken[d.Claim+" "+cell] {
				return fmt.Errorf("deviation %d: claim %s already has a deviation on cell %s", i+1, d.Claim, cell)
			}
			taken[d.Claim+" "+cell] = true
		}
	}
	return nil
}

// applyDeviation gives an expected failure the record that accepts it. An expected failure
// that did not happen becomes a failure: a stale deviation would hide the next defect.
func applyDeviation(out verdict.Outcome, devs []Deviation) verdict.Outcome {
	for _, d := range devs {
		if !d.Covers(out.Claim, out.Cell) {
			continue
		}
		switch out.Status {
		case verdict.Fail:
			out.Deviation = verdict.Deviation{Reason: d.Reason, Source: d.Source, Until: d.Until}
		case verdict.Pass:
			out.Status = verdict.Fail
			out.Reason = verdict.StaleDeviation + fmt.Sprintf("the claim holds here, but %s says it does not: %s (%s)", d.File(), d.Reason, d.Source)
		}
		return out
	}
	return out
}
