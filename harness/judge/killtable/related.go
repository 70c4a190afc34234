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
		"newosproc":    {}, // a tracer of its own stands where the injector would
		"oslimits":     {}, // no MUST reads it
		"protection":   {defect.Stack, defect.Rule, defect.Memory, defect.Bits},
		"sigstack":     {defect.Signal},
		"threadlimits": {defect.Limit, defect.Count},
		"stage0":       {}, // it ran before any injector
		"tracing":      {}, // nothing is injected below it
		"variants":     {}, // it is an injector's parent itself
		"zeropage":     {defect.Memory},
	}
}

// Echo says why claims of a probe that are not about a model fail under it all
// the same, "" where they must not.
func Echo(probe string, m defect.Model) string { return echoes()[m.Name][probe] }

// echoes is the reasons, by model and probe. Seen on amd64 6.1 with every model
// below every probe.
func echoes() map[string]map[string]string {
	const (
		fills   = "a limit is filled with mappings of every kind, and those with MAP_STACK are refused or of no use"
		errno   = "the model changes this errno of the call wherever it occurs, and other limits report the same one"
		unused  = "the experiment gives mappings back and maps again, or fills what it then gives back"
		refused = "the experiment meets ENOMEM once, and everything after it in that process is refused"
		kinds   = "a limit is tried with mappings of this kind, which the model makes another"
		guards  = "the limit is met by splitting mappings with mprotect, or by telling kinds apart that the model makes alike"
		limited = "the experiment sets RLIMIT_NPROC, as root too, to see which error comes first"
	)
	limits := func(why string) map[string]string { return map[string]string{"threadlimits": why} }
	clones := func(why string) map[string]string { return map[string]string{"cloneflags": why} }
	return map[string]map[string]string{
		"clone-enomem":                limits(errno),
		"growsdown-ignored":           limits(kinds),
		"huge-length-einval":          {"threadlimits": errno, "address": errno},
		"limits-ignored":              clones(limited),
		"mprotect-ignored":            limits(guards),
		"munmap-ignored":              {"threadlimits": unused, "address": unused},
		"no-room-is-final":            {"address": refused, "mapstack": refused, "mmapabi": refused},
		"none-readable":               limits(guards),
		"noreserve-ignored":           limits(kinds),
		"nproc-exempts-nobody":        clones(limited),
		"read-writable":               limits(kinds),
		"refusal-is-final":            clones("the experiment clones again after the refusal that an execve causes"),
		"stack-einval":                limits(fills),
		"stack-enomem":                limits(fills),
		"stack-eopnotsupp":            limits(fills),
		"stack-eperm":                 limits(fills),
		"stack-grows":                 limits(kinds),
		"stack-inaccessible":          limits(fills),
		"stack-limit-counts-mappings": {"mmapabi": "MF-110 is about the same limit, as the area of the flag words sees it"},
		"stack-read-only":             limits(fills),
		"stack-shared":                limits(kinds),
	}
}
