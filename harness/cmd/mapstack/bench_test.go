package main

import (
	"slices"
	"strings"
	"testing"
)

// TestABenchMeasuresWhatIsAskedFor fails if a mistyped load or number is measured as something
// else, or if the targets lose their order: ratios are to the first one.
func TestABenchMeasuresWhatIsAskedFor(t *testing.T) {
	good := benchFlags{repetitions: 1, milliseconds: 1, loads: []string{"spawn, pool-gosched", "threads-strict,spawn"}}
	got, err := good.asked()
	if want := []string{"spawn", "pool-gosched", "threads-strict"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	all := benchFlags{repetitions: 1000, milliseconds: 60000}
	if got, err := all.asked(); err != nil || len(got) < 20 {
		t.Errorf("%v, %v", got, err)
	}
	for want, f := range map[string]benchFlags{
		"--repetitions 0":       {milliseconds: 1},
		"--milliseconds 60001":  {repetitions: 1, milliseconds: 60001},
		`there is no load "po"`: {repetitions: 1, milliseconds: 1, loads: []string{"pool,po"}},
	} {
		if _, err := f.asked(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f := benchFlags{targets: []string{"ssh://a@b", "native"}, cells: []string{"s390x-debian12-6.1", "amd64-debian12-6.1"}}
	subjects, names, err := f.subjects()
	if want := []string{"ssh://a@b", "native", "s390x-debian12-6.1", "amd64-debian12-6.1"}; err != nil || len(subjects) != 4 || !slices.Equal(names, want) {
		t.Errorf("%v, %v, want %v", names, err, want)
	}
	if _, names, err := (&benchFlags{}).subjects(); err != nil || !slices.Equal(names, []string{"native"}) {
		t.Errorf("%v, %v", names, err)
	}
	for want, f := range map[string]benchFlags{
		"asked for twice": {targets: []string{"native", "native"}},
		"no-such-cell":    {cells: []string{"no-such-cell"}},
	} {
		if _, _, err := f.subjects(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
