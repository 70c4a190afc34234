// Package catalog has one record for each program that runs in a target. A new
// probe is a folder below poc, a record here and its main function in poc/guest;
// nothing else lists probes by name.
package catalog

import (
	"strings"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/defect"
)

// Program is what the engine must know of a program below poc before it runs.
type Program struct {
	Name string // the folder below poc
	Risk Risk
	// Shared reports whether the program leaves nothing behind, so that others may use its
	// guest. The agent compares the guest after each of them all the same.
	Shared bool
	// Turn is 0 unless the program uses up what the whole machine has, and gives it back.
	// Such programs share a guest in which no other probe runs, the lowest turn first.
	Turn int
	// Emulated reports whether a user-mode emulator can decide what the program asks.
	// An emulator has its own numbers of calls, flags and signals; everything else is
	// the answer of the host's kernel.
	Emulated bool
	// Hosted reports whether the program imports modules beside the standard library.
	// It is left out where a vendor's toolchain or another compiler builds the guest.
	Hosted bool
	// Assembled reports whether harness/guest/assembler makes the program. It then has
	// no folder of its own and is PID 1 before any agent.
	Assembled bool
	// Variants are the Go runtimes that the program is built with beside the stock one.
	Variants []Variant
	// Subjects are what the program's claims are about. `mapstack kill-table` injects
	// defects of these subjects, and no defect of another may make such a claim fail.
	Subjects []defect.Subject
	// Direct is why no defect is ever injected below the program; "" if one may be.
	Direct string
	// Echoes are why claims of the program fail under a defect of another subject, by
	// the defect's name. Seen on amd64 6.1 with every model below every program.
	Echoes map[string]string
}

// Class is what a program may do to a system that others use.
type Class string

const (
	Harmless Class = "harmless" // it disturbs nobody but itself
	Restores Class = "restores" // it changes a setting for a moment at no cost to others, and puts it back
	Harmful  Class = "harmful"  // others may lose work
)

// Risk is what a program may do to a system that others use, and why.
type Risk struct {
	Class  Class
	Reason string
	// Archs are the only architectures where the program is more than harmless; nil for all.
	Archs []string
}

// Variant is a Go runtime that differs from the stock one in one thing;
// harness/guest/runtimevariant makes it.
type Variant string

const (
	// Strict maps the g0 stack of every thread with MAP_STACK. Where that is refused,
	// the program ends as after a failed clone (newosproc).
	Strict Variant = "strict"
	// Fallback asks once whether MAP_STACK can be used. Where it cannot, stacks come
	// from the heap, as in the stock runtime.
	Fallback Variant = "fallback"
	// Mended returns the result of clone on architectures where the stock runtime loses
	// it: riscv64 stores zero over it, and sw64 does not look whether it is an error.
	Mended Variant = "mended"
)

// Variants returns every variant.
func Variants() []Variant { return []Variant{Strict, Fallback, Mended} }

// Applies reports whether the variant is for an architecture.
func (v Variant) Applies(goarch string) bool {
	k, known := abi.Lookup(goarch)
	return v != Mended || known && k.GoLosesCloneError
}

// On returns the class of the risk on an architecture.
func (r Risk) On(goarch string) Class {
	if r.Archs == nil {
		return r.Class
	}
	for _, a := range r.Archs {
		if a == goarch {
			return r.Class
		}
	}
	return Harmless
}

// Lookup returns the record of a program. A program that is built with another runtime
// is named "program-variant" and has the same record. A program without a record is
// harmful, because nobody has looked.
func Lookup(name string) (Program, bool) {
	stem := name
	if i := strings.IndexByte(name, '-'); i >= 0 {
		stem = name[:i]
	}
	for _, p := range Programs() {
		if p.Name == stem {
			return p, true
		}
	}
	return Program{Name: name, Risk: Risk{Class: Harmful, Reason: "nobody has said that it harms nothing"}}, false
}

// SharesOn reports whether the program may use a guest together with others on an
// architecture. It may not where it is harmful on that architecture alone.
func (p Program) SharesOn(goarch string) bool {
	return p.Shared && (p.Risk.Archs == nil || p.Risk.On(goarch) == Harmless)
}

// About reports whether the program's claims are about what a model does wrong.
func (p Program) About(m defect.Model) bool {
	for _, s := range p.Subjects {
		if s == m.Subject {
			return true
		}
	}
	return false
}
