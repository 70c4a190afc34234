package killtable

import (
	"slices"

	"github.com/mapstack/conformance/poc/defect"
)

// Related reports whether claims of a probe are about what a model does wrong.
// On the others the model is tried only when asked for: it takes hours.
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
		"tracing":      {}, // nothing is injected below it
	}
}

// Echo says why claims of a probe that are not about a model fail under it all
// the same, "" where they must not.
func Echo(probe string, m defect.Model) string { return echoes()[m.Name][probe] }

// echoes is the reasons, by model and probe.
func echoes() map[string]map[string]string {
	return map[string]map[string]string{}
}
