package defect

import "github.com/mapstack/conformance/poc/abi"

// Model is one wrong behaviour.
type Model struct {
	Name    string // lower case, words joined by dashes
	English string // what the kernel does wrong, one sentence
	Chinese string // the same
	Subject Subject
	// Calls are the system calls whose arguments or results it changes, by the
	// names of poc/inject.
	Calls []string
	// Stacks: the rule asks for Program.OnStack.
	Stacks bool
	// Act is the rule. The calls that the Go runtime makes for itself never
	// reach it: a program that cannot run observes nothing.
	Act func(c *Call)
	// Unserved says why the model means nothing on a kernel, "" where it does.
	// nil: it means something everywhere.
	Unserved func(t Target) string
}

// Subject is what a model is about: it says which probes could see it.
type Subject string

const (
	Stack  Subject = "MAP_STACK"
	Place  Subject = "where mappings go"
	Number Subject = "what flags mean"
	Rule   Subject = "what mmap checks"
	Memory Subject = "what is done to mappings"
	Bits   Subject = "protection bits"
	Limit  Subject = "limits"
	Count  Subject = "how limits are counted"
	Clone  Subject = "clone"
	Signal Subject = "signal stacks"
)

// Target is what decides whether a model can be told from a right kernel.
type Target struct {
	GOARCH string
	// MarksStacks: MAP_STACK sets VM_NOHUGEPAGE, its only effect, on this kernel.
	MarksStacks bool
}

// Table is the constants of the target's architecture.
func (t Target) Table() abi.Table {
	table, _ := abi.Lookup(t.GOARCH)
	return table
}

// Why returns why the model means nothing on a kernel, "" where it does.
func (m Model) Why(t Target) string {
	if m.Unserved == nil {
		return ""
	}
	return m.Unserved(t)
}

// Models returns every model, by subject.
func Models() []Model {
	var all []Model
	for _, group := range []struct {
		subject Subject
		models  []Model
	}{
		{Stack, stacks()}, {Place, placement()}, {Number, numbers()}, {Rule, rules()}, {Memory, memory()}, {Bits, bits()},
		{Limit, limits()}, {Count, counts()}, {Clone, clones()}, {Signal, signals()}, {Signal, inheritance()},
	} {
		for _, m := range group.models {
			m.Subject = group.subject
			all = append(all, m)
		}
	}
	return all
}

// Lookup returns the model of a name.
func Lookup(name string) (Model, bool) {
	for _, m := range Models() {
		if m.Name == name {
			return m, true
		}
	}
	return Model{}, false
}

// Calls of the models.
var (
	mmap     = []string{"mmap"}
	mprotect = []string{"mprotect"}
	munmap   = []string{"munmap"}
	madvise  = []string{"madvise"}
	clone    = []string{"clone"}
	clone3   = []string{"clone3"}
	prctl    = []string{"prctl"}
)
