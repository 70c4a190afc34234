// Package load reads what loads measured on several targets, and compares the targets. Its
// numbers say how fast a target is; they are no claim, and decide no verdict.
package load

import (
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
)

// Schema names the format of a Result.
const Schema = "mapstack-load/1"

// Result is everything that was measured in one run, and what follows from it.
type Result struct {
	Schema       string        `json:"schema"`
	Revision     string        `json:"revision"`
	Started      time.Time     `json:"started"`
	Finished     time.Time     `json:"finished"`
	Repetitions  int           `json:"repetitions"`
	Milliseconds int           `json:"milliseconds"` // that each repetition of a load was measured
	Host         evidence.Host `json:"host"`
	// Before is what the host did in the second before the first repetition, and During what
	// it did in each repetition, with the guests.
	Before HostLoad   `json:"before"`
	During []HostLoad `json:"during"`
	// Loads are the names of the loads, in the order of reports.
	Loads   []string `json:"loads"`
	Targets []Target `json:"targets"`
	// Comparisons and Explanations follow from the targets.
	Comparisons  []Comparison  `json:"comparisons"`
	Explanations []Explanation `json:"explanations"`
	Stacks       []StackRow    `json:"stacks"`
}

// HostLoad is how busy the host was.
type HostLoad struct {
	BusyCores   float64 `json:"busyCores"`   // on average
	LoadAverage float64 `json:"loadAverage"` // of a minute
}

// Place is what executes a target's instructions.
type Place string

// Places.
const (
	Hardware Place = "hardware"  // a system that runs already; it may be a virtual machine
	KVM      Place = "kvm"       // a guest of this host's processor
	TCG      Place = "tcg"       // QEMU translates every instruction
	UserMode Place = "user-mode" // QEMU translates the program, and the host's kernel serves it
)

// Target is one system on which the loads ran.
type Target struct {
	Name  string `json:"name"` // "native", the URL, or the cell's name
	Arch  string `json:"arch"` // GOARCH
	OS    string `json:"os"`
	Place Place  `json:"place"`
	// Machine is what the target says of itself, by name. The texts are safe to show.
	Machine map[string]string `json:"machine"`
	Runs    []Run             `json:"runs"` // in the order of Result.Loads
}

// Run is what one load did on one target. Samples are in the order of the repetitions.
type Run struct {
	Load    string   `json:"load"`
	Samples []Sample `json:"samples"`
	Refused *Refusal `json:"refused,omitempty"`
	Failed  string   `json:"failed,omitempty"` // why it did not run to its end
}

// translated is the name that QEMU gives to the processor that it emulates on amd64. A system
// that somebody else emulates says it in no other way.
const translated = "QEMU TCG"

// Emulated reports whether the target's instructions were translated. How fast it is then says
// nothing of any hardware.
func (t Target) Emulated() bool {
	return t.Place == TCG || t.Place == UserMode || len(t.Machine["cpu"]) >= len(translated) && t.Machine["cpu"][:len(translated)] == translated
}

// Run returns what a load did on the target; nil if it was not asked for.
func (t Target) Run(load string) *Run {
	if i := slices.IndexFunc(t.Runs, func(r Run) bool { return r.Load == load }); i >= 0 {
		return &t.Runs[i]
	}
	return nil
}

// values returns a value of every sample of a load; nil if there are none.
func (t Target) values(load string, of func(Sample) float64) (all []float64) {
	if r := t.Run(load); r != nil {
		for _, s := range r.Samples {
			all = append(all, of(s))
		}
	}
	return all
}

// Comparison is how a target differs from the first one under a load.
type Comparison struct {
	Load   string `json:"load"`
	Target string `json:"target"`
	// Rate is the ratio of the operations per second, and P99 that of the 99th percentiles.
	Rate Interval `json:"rate"`
	P99  Interval `json:"p99"`
}

// compare compares every target with the first one. Two emulated targets are not compared: the
// ratio would be that of two translators.
func compare(loads []string, targets []Target) []Comparison {
	list := []Comparison{}
	if len(targets) == 0 {
		return list
	}
	first := targets[0]
	for _, name := range loads {
		for _, t := range targets[1:] {
			if first.Emulated() && t.Emulated() {
				continue
			}
			of, to := t.values(name, Sample.Rate), first.values(name, Sample.Rate)
			if len(of) == 0 || len(to) == 0 {
				continue
			}
			list = append(list, Comparison{Load: name, Target: t.Name, Rate: Ratio(of, to), P99: Ratio(t.values(name, p99), first.values(name, p99))})
		}
	}
	return list
}

func p99(s Sample) float64 { return s.P99 }

// Comparison returns how a target differs from the first one; nil if they are not compared.
func (r Result) Comparison(load, target string) *Comparison {
	if i := slices.IndexFunc(r.Comparisons, func(c Comparison) bool { return c.Load == load && c.Target == target }); i >= 0 {
		return &r.Comparisons[i]
	}
	return nil
}

// Conclude fills in what follows from the targets.
func (r *Result) Conclude() {
	r.Schema = Schema
	r.Comparisons, r.Explanations, r.Stacks = compare(r.Loads, r.Targets), explain(r.Loads, r.Targets), stackRows(r.Targets)
}

// Limited reports whether there are enough repetitions for limits.
func (r Result) Limited() bool { return r.Repetitions >= enough }

// Whole reports whether every load ran to its end on every target.
func (r Result) Whole() bool {
	return !slices.ContainsFunc(r.Targets, func(t Target) bool {
		return slices.ContainsFunc(t.Runs, func(run Run) bool { return run.Refused != nil || run.Failed != "" })
	})
}

// WriteJSON writes the result as indented JSON.
func (r Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
