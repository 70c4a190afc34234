package main

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/defect"
)

// injectable refuses a defect model that is unknown, or that means nothing on one of the
// cells. "" is no defect.
func injectable(name string, cells []matrix.Cell) error {
	if name == "" {
		return nil
	}
	model, ok := defect.Lookup(name)
	if !ok {
		var names []string
		for _, m := range defect.Models() {
			names = append(names, m.Name)
		}
		return fmt.Errorf("unknown defect %q; known are %s", name, strings.Join(names, ", "))
	}
	for _, c := range cells {
		// Here a kernel is assumed to have everything. What it lacks is known after the run.
		if why := model.Why(defect.Target{GOARCH: c.Arch, MarksStacks: true}); why != "" {
			return fmt.Errorf("defect %s cannot be shown on cell %s: %s; leave that cell out", name, c.Name, why)
		}
	}
	return nil
}
