package load

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/strictyaml"
	"github.com/mapstack/conformance/poc/load"
)

// Chapter is what the article says of goroutines under load.
type Chapter struct {
	Loads        []About   `yaml:"loads"`
	Figures      []Figure  `yaml:"figures"`
	Explanations []Because `yaml:"explanations"`
}

// About says what a load does. ID is its name, or the beginning of it up to a hyphen.
type About struct {
	ID   string `yaml:"id"`
	Text `yaml:",inline"`
}

// About returns what a load does.
func (c Chapter) About(name string) Text {
	for {
		if i := slices.IndexFunc(c.Loads, func(a About) bool { return a.ID == name }); i >= 0 {
			return c.Loads[i].Text
		}
		end := strings.LastIndexByte(name, '-')
		if end < 0 {
			return Text{}
		}
		name = name[:end]
	}
}

// Figure is a number of the article, and what it leaves out.
type Figure struct {
	ID     string `yaml:"id"`
	Text   `yaml:",inline"`
	Load   string `yaml:"load"`
	Value  string `yaml:"value"`
	Unsaid Text   `yaml:"unsaid"`
}

// Because is a reason that the article gives, or a question that it raises.
type Because struct {
	ID      string `yaml:"id"`
	Article string `yaml:"article"`
	Text    `yaml:",inline"`
}

// Values of Figure.Value.
const (
	valueRate  = "rate"
	valueGCP99 = "gcP99"
	valueStack = "stack"
)

const file = "load.yaml"

// LoadChapter reads the chapter of the fixtures.
func LoadChapter(fixtures fs.FS) (Chapter, error) {
	data, err := fs.ReadFile(fixtures, file)
	if err != nil {
		return Chapter{}, fmt.Errorf("read what the article says of load: %w", err)
	}
	return parse(data)
}

func parse(data []byte) (Chapter, error) {
	var c Chapter
	if err := strictyaml.Decode(data, &c); err != nil {
		return Chapter{}, fmt.Errorf("fixtures/%s: %w", file, err)
	}
	var problems []error
	problem := func(id, what string) {
		problems = append(problems, fmt.Errorf("fixtures/%s: %q: %s", file, id, what))
	}
	for _, f := range c.Figures {
		if !f.whole() || !f.Unsaid.whole() {
			problem(f.ID, "the figure and what it leaves out must be said in both languages")
		}
		if !slices.Contains(load.Names(), f.Load) || !slices.Contains([]string{valueRate, valueGCP99, valueStack}, f.Value) {
			problem(f.ID, "load must name a load of poc/load, and value rate, gcP99 or stack")
		}
	}
	for _, name := range load.Names() {
		if !c.About(name).whole() {
			problem(name, "what the load does must be said in both languages")
		}
	}
	decided := deciders()
	if len(decided) != len(c.Explanations) {
		problem("explanations", fmt.Sprintf("there are %d, and harness/judge/load decides %d", len(c.Explanations), len(decided)))
	}
	for _, e := range c.Explanations {
		if !e.whole() {
			problem(e.ID, "it must be said in both languages")
		}
		if !slices.ContainsFunc(decided, func(d decider) bool { return d.id == e.ID }) {
			problem(e.ID, "harness/judge/load does not decide it")
		}
	}
	return c, errors.Join(problems...)
}

func (t Text) whole() bool { return t.English != "" && t.Chinese != "" }

// Beside returns what a target measured beside a figure; "" for nothing.
func (f Figure) Beside(t Target) string {
	switch f.Value {
	case valueRate:
		if all := t.values(f.Load, Sample.Rate); len(all) > 0 {
			return Short(median(all)) + "/s"
		}
	case valueGCP99:
		if all := t.values(f.Load, func(s Sample) float64 { return s.GCP99 }); len(all) > 0 {
			return Nanos(median(all))
		}
	}
	return ""
}
