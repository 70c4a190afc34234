package runtimevariant

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
)

// ErrMended says that the runtime stores clone's result already.
var ErrMended = errors.New("this runtime returns the result of clone: take the variant, and GoLosesCloneError of poc/abi, away")

// ErrUnknown says that the runtime makes threads in a way that is not known here.
var ErrUnknown = errors.New("this runtime is not known to mapstack")

// loss is how a runtime loses the result of clone.
type loss struct {
	lost  *regexp.Regexp // the store in the parent
	kept  *regexp.Regexp // what a runtime has that does not lose the result
	store string         // replaces lost
	// varies is set if there are several ports of Go for the architecture, of which some
	// may be mended. The variant of such a one is the port itself.
	varies bool
}

// losses returns the ways by GOARCH.
func losses() map[string]loss {
	return map[string]loss{
		// golang/go src/runtime/sys_linux_riscv64.s, 1.15 to 1.27.
		"riscv64": {
			lost:  regexp.MustCompile(`(?m)^([ \t]*MOVW[ \t]+)ZERO(,[ \t]*ret\+40\(FP\))`),
			kept:  regexp.MustCompile(`(?m)^[ \t]*MOVW[ \t]+A0,[ \t]*ret\+40\(FP\)`),
			store: "${1}A0${2}",
		},
		// src/runtime/sys_linux_sw64.s of the public port of Go 1.16.4. The kernel returns the
		// errno itself in R0, and R19 is not zero.
		"sw64": {
			lost:   regexp.MustCompile(`(?m)^[ \t]*STW[ \t]+R0,[ \t]*ret\+40\(FP\)`),
			kept:   regexp.MustCompile(`(?m)^[ \t]*[A-Z]+[ \t]+R19\b`),
			store:  "\tBEQ\tR19, mapstack_made\n\tSUBL\tZERO, R0, R0\nmapstack_made:\n${0}",
			varies: true,
		},
	}
}

// mendClone makes runtime.clone return the result of the call in the parent: minus the
// errno if it failed.
func mendClone(text []byte, l loss) ([]byte, error) {
	start := bytes.Index(text, []byte("\nTEXT runtime·clone(SB)"))
	if start < 0 {
		return nil, fmt.Errorf("%w: runtime.clone is not there", ErrUnknown)
	}
	end := len(text)
	if next := bytes.Index(text[start+1:], []byte("\nTEXT ")); next >= 0 {
		end = start + 1 + next
	}
	body := text[start:end]
	n, kept := len(l.lost.FindAll(body, -1)), l.kept.Match(body)
	switch {
	case kept && l.varies:
		return text, nil
	case n == 1:
	case n == 0 && kept:
		return nil, ErrMended
	default:
		return nil, fmt.Errorf("%w: its clone stores the result at %d places, not at one", ErrUnknown, n)
	}
	mended := l.lost.ReplaceAll(body, []byte(l.store))
	return bytes.Join([][]byte{text[:start], mended, text[end:]}, nil), nil
}
