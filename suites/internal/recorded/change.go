package recorded

import (
	"maps"
	"slices"
	"testing"

	"github.com/mapstack/conformance/poc/wire"
)

// Change returns a copy in which one observation is changed. The test fails without
// the step, because it would then test nothing.
func Change(t testing.TB, tr wire.Transcript, step string, change func(*wire.Observation)) wire.Transcript {
	t.Helper()
	i := slices.IndexFunc(tr.Observations, func(o wire.Observation) bool { return o.Step == step })
	if i < 0 {
		t.Fatalf("the recording has no step %q", step)
	}
	tr.Observations = slices.Clone(tr.Observations)
	o := tr.Observations[i]
	if o.Values = maps.Clone(o.Values); o.Values == nil {
		o.Values = map[string]string{}
	}
	change(&o)
	tr.Observations[i] = o
	return tr
}

// Answered returns a copy with several answers changed.
func Answered(t testing.TB, tr wire.Transcript, answers ...Answer) wire.Transcript {
	t.Helper()
	for _, a := range answers {
		tr = Change(t, tr, a.Step, a.Change)
	}
	return tr
}

// Without returns a copy without one step. The test fails when there is no such step.
func Without(t testing.TB, tr wire.Transcript, step string) wire.Transcript {
	t.Helper()
	left := slices.DeleteFunc(slices.Clone(tr.Observations), func(o wire.Observation) bool { return o.Step == step })
	if len(left) == len(tr.Observations) {
		t.Fatalf("the recording has no step %q", step)
	}
	tr.Observations = left
	return tr
}

// Errno returns a change that makes a call fail.
func Errno(number int, name string) func(*wire.Observation) {
	return func(o *wire.Observation) { o.Errno, o.Error, o.Ret = number, name, "" }
}

// Success returns a change that makes a call return a value.
func Success(ret string) func(*wire.Observation) {
	return func(o *wire.Observation) { o.Errno, o.Error, o.Ret = 0, "", ret }
}

// Value returns a change that sets an observed value.
func Value(key, value string) func(*wire.Observation) {
	return func(o *wire.Observation) { o.Values[key] = value }
}

// With returns a copy with other observations in place of those of the same step, and
// with those whose step was not recorded. A claim whose step is newer than the recordings
// is tried on it.
func With(tr wire.Transcript, made ...wire.Observation) wire.Transcript {
	tr.Observations = slices.DeleteFunc(slices.Clone(tr.Observations), func(o wire.Observation) bool {
		return slices.ContainsFunc(made, func(m wire.Observation) bool { return m.Step == o.Step })
	})
	tr.Observations = append(tr.Observations, made...)
	return tr
}
