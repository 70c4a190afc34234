package claim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/poc/wire"
)

// Missing is the panic of the accessors when a transcript lacks what a check needs.
// Judge turns it into an error outcome.
type Missing struct {
	Probe  string
	Step   string
	Value  string // "" when the step itself is missing
	Reason string
}

// Error says what is missing, where, and why.
func (m Missing) Error() string {
	if m.Value == "" {
		return fmt.Sprintf("probe %s, step %q: %s", m.Probe, m.Step, m.Reason)
	}
	return fmt.Sprintf("probe %s, step %q, value %q: %s", m.Probe, m.Step, m.Value, m.Reason)
}

// Step returns the observation with that name. A step that is absent, or
// reported twice, stops the check.
func (t Transcript) Step(name string) Observation {
	if t.seen != nil {
		t.seen(name, "")
	}
	found := -1
	for i, o := range t.Observations {
		if o.Step != name {
			continue
		}
		if found >= 0 {
			panic(Missing{Probe: t.Probe, Step: name, Reason: "reported twice, so neither answer counts"})
		}
		found = i
	}
	if found < 0 {
		panic(Missing{Probe: t.Probe, Step: name, Reason: "never reported" + lastWords(t.Transcript, name)})
	}
	return Observation{Observation: t.Observations[found], probe: t.Probe, seen: t.seen}
}

// lastWords says how the child ended that should have reported a step, as a clause to append;
// "" if none is known to have ended badly. The steps of a child begin with the name of the step
// that started it, and a dot.
func lastWords(t wire.Transcript, step string) string {
	for i := strings.LastIndexByte(step, '.'); i > 0; i = strings.LastIndexByte(step[:i], '.') {
		for _, o := range t.Observations {
			if o.Step != step[:i] {
				continue
			}
			how := "signal " + o.Values["signal"]
			switch {
			case o.Values["timedout"] == "true":
				how = "a stop after its limit of time"
			case o.Values["signal"] != "":
			case o.Values["exit"] == "" || o.Values["exit"] == "0":
				return ""
			default:
				how = "status " + o.Values["exit"]
			}
			words, _, _ := strings.Cut(o.Values["stderr"], "\n")
			return fmt.Sprintf("; its child %q ended with %s: %.200q", o.Step, how, words)
		}
	}
	return ""
}

// Ended stops a check unless the child that a step started ran to its end. What a
// stopped child did not say is no kernel's fault.
func (t Transcript) Ended(step string) {
	o := t.Step(step)
	if o.Value("timedout") != "false" || !o.Has("exit") || o.Value("exit") != "0" {
		panic(Missing{Probe: t.Probe, Step: step, Value: "exit", Reason: fmt.Sprintf("the child ended with %v", o.Values)})
	}
}

// Observation is one step's outcome with accessors that stop the check when a value
// could not be determined.
type Observation struct {
	wire.Observation
	probe string
	seen  func(step, key string) // see Watched; nil for nobody
}

// OK reports whether the call returned without an errno. A step that called
// nothing, because it could not prepare what it needs, stops the check: it neither
// succeeded nor failed.
func (o Observation) OK() bool {
	if o.seen != nil {
		o.seen(o.Step, "")
	}
	if o.Errno == 0 && o.Ret == "" {
		var why []string
		for _, key := range slices.Sorted(maps.Keys(o.Unknown)) {
			why = append(why, "; "+key+" could not be determined: "+o.Unknown[key])
		}
		panic(o.missing("ret", "nothing was called"+strings.Join(why, "")))
	}
	return o.Errno == 0
}

// Has reports whether a value was seen. One that could not be determined stops
// the check: it is neither present nor absent.
func (o Observation) Has(key string) bool {
	if o.seen != nil {
		o.seen(o.Step, key)
	}
	if why, unknown := o.Unknown[key]; unknown {
		panic(o.missing(key, "could not be determined: "+why))
	}
	_, ok := o.Values[key]
	return ok
}

// Value returns a value as reported.
func (o Observation) Value(key string) string {
	if !o.Has(key) {
		panic(o.missing(key, "never reported"))
	}
	return o.Values[key]
}

// Int returns a decimal value.
func (o Observation) Int(key string) int {
	n, err := strconv.Atoi(o.Value(key))
	if err != nil {
		panic(o.missing(key, fmt.Sprintf("%q is no decimal number", o.Values[key])))
	}
	return n
}

// Uint returns a number written in decimal or, with 0x, in hexadecimal.
func (o Observation) Uint(key string) uint64 {
	n, err := strconv.ParseUint(o.Value(key), 0, 64)
	if err != nil {
		panic(o.missing(key, fmt.Sprintf("%q is no number", o.Values[key])))
	}
	return n
}

// Words returns a value split at white space, such as the flags of VmFlags.
func (o Observation) Words(key string) []string { return strings.Fields(o.Value(key)) }

// Result returns what the call returned. It stops the check if the call failed.
func (o Observation) Result() uint64 {
	if !o.OK() {
		panic(o.missing("ret", "the call failed with "+o.Failure()))
	}
	n, err := strconv.ParseUint(o.Ret, 0, 64)
	if err != nil {
		panic(o.missing("ret", fmt.Sprintf("%q is no number", o.Ret)))
	}
	return n
}

// Failure describes the errno; it returns "none" when there is none.
func (o Observation) Failure() string {
	switch {
	case o.OK():
		return "none"
	case o.Error == "":
		return fmt.Sprintf("errno %d", o.Errno)
	default:
		return fmt.Sprintf("%s (%d)", o.Error, o.Errno)
	}
}

func (o Observation) missing(key, reason string) Missing {
	return Missing{Probe: o.probe, Step: o.Step, Value: key, Reason: reason}
}
