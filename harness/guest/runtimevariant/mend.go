package runtimevariant

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
)

// ErrMended says that the runtime stores clone's result already.
var ErrMended = errors.New("this runtime returns the result of clone: take the variant, and GoLosesCloneError of poc/abi, away")

// mendClone makes runtime.clone return A0, the result of the call, in the parent.
// The stock source stores zero (golang/go src/runtime/sys_linux_riscv64.s, 1.15 to
// 1.27: MOVW ZERO).
func mendClone(text []byte) ([]byte, error) {
	start := bytes.Index(text, []byte("\nTEXT runtime·clone(SB)"))
	if start < 0 {
		return nil, errors.New("runtime.clone is not there")
	}
	end := len(text)
	if next := bytes.Index(text[start+1:], []byte("\nTEXT ")); next >= 0 {
		end = start + 1 + next
	}
	body := text[start:end]
	lost := regexp.MustCompile(`(?m)^([ \t]*MOVW[ \t]+)ZERO(,[ \t]*ret\+40\(FP\))`)
	kept := regexp.MustCompile(`(?m)^[ \t]*MOVW[ \t]+A0,[ \t]*ret\+40\(FP\)`)
	switch n := len(lost.FindAll(body, -1)); {
	case n == 1:
	case n == 0 && kept.Match(body):
		return nil, ErrMended
	default:
		return nil, fmt.Errorf("runtime.clone stores zero as its result at %d places, not at one", n)
	}
	mended := lost.ReplaceAll(body, []byte("${1}A0${2}"))
	return bytes.Join([][]byte{text[:start], mended, text[end:]}, nil), nil
}
