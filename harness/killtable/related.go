package killtable

import (
	"slices"

	"github.com/mapstack/conformance/poc/defect"
)

// Related reports whether a probe could see a model. The others are judged by
// their control: trying every defect on every probe takes hours.
func Related(probe string, m defect.Model) bool {
	subjects, known := seen()[probe]
	return !known || slices.Contains(subjects, m.Subject)
}

// seen is the subjects of each probe's claims; of a probe that is not here, all.
func seen() map[string][]defect.Subject {
	mappings := []defect.Subject{defect.Stack, defect.Place, defect.Number, defect.Rule, defect.Memory, defect.Limit}
	return map[string][]defect.Subject{
		"address":      {defect.Place},
		"cloneflags":   {defect.Clone},
		"mapstack":     mappings,
		"mmapabi":      mappings,
		"protection":   {defect.Stack, defect.Rule, defect.Memory, defect.Bits},
		"sigstack":     {defect.Signal},
		"threadlimits": {defect.Limit, defect.Count},
	}
}
