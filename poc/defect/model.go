package defect

import "github.com/mapstack/conformance/poc/abi"

// Model is one wrong behaviour of a kernel.
type Model struct {
	Name    string // lower case, words joined by dashes
	English string // the kernel's fault in one sentence
	Chinese string // the same in Chinese
	Subject Subject
	// Calls names the system calls whose arguments or results the model changes, as
	// poc/inject does.
	Calls []string
	// Stacks is set if the rule uses Program.OnStack.
	Stacks bool
	// Marked is set if the rule changes only calls of mmap with MAP_STACK. A program need
	// not stop at others then.
	Marked bool
	// Act is the rule. It sees the Go runtime's own calls of mmap only with
	// MAP_STACK, and none of clone and sigaltstack. A program that cannot run
	// observes nothing.
	Act func(c *Call)
	// Unserved returns why the model means nothing on a target, "" if it means
	// something. Nil is the same as "" everywhere.
	Unserved func(t Target) string
}

// Subject is the area of a model. It decides which probes can detect the model.
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

// Target holds what decides whether a model differs from a correct kernel.
type Target struct {
	GOARCH string
	// MarksStacks is set if MAP_STACK sets VM_NOHUGEPAGE, its only effect, on this
	// kernel.
	MarksStacks bool
}

// Table returns the constants of the target's architecture.
func (t Target) Table() abi.Table {
	table, _ := abi.Lookup(t.GOARCH)
	return table
}

// Why returns why the model means nothing on a target, "" if it means something.
func (m Model) Why(t Target) string {
	if m.Unserved == nil {
		return ""
	}
	return m.Unserved(t)
}

// Models returns every model, ordered by subject.
func Models() []Model {
	var all []Model
	for _, group := range []struct {
		subject Subject
		models  []Model
	}{
		{Stack, stacks()}, {Stack, executions()}, {Place, placement()}, {Number, numbers()}, {Rule, rules()}, {Memory, memory()}, {Bits, bits()},
		{Limit, limits()}, {Count, counts()}, {Clone, clones()}, {Signal, signals()}, {Signal, inheritance()},
	} {
		for _, m := range group.models {
			m.Subject = group.subject
			all = append(all, m)
		}
	}
	return all
}

// Lookup returns the model with a name.
func Lookup(name string) (Model, bool) {
	for _, m := range Models() {
		if m.Name == name {
			return m, true
		}
	}
	return Model{}, false
}

// Values of Model.Calls.
var (
	mmap     = []string{"mmap"}
	mprotect = []string{"mprotect"}
	munmap   = []string{"munmap"}
	madvise  = []string{"madvise"}
	clone    = []string{"clone"}
	clone3   = []string{"clone3"}
	prctl    = []string{"prctl"}
)
