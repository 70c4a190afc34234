// Package runtimevariant makes variants of the Go runtime as overlays for go build.
// Each differs from the stock runtime in one respect. The edits find their places
// in the toolchain's own source by syntax: they follow Go's versions, and fail
// where the source is not as expected.
package runtimevariant

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mapstack/conformance/poc/abi"
)

// Variant names a runtime that differs from the stock one.
type Variant string

const (
	// Strict maps the g0 stack of every thread with MAP_STACK. If that is refused
	// the program ends as it does when clone fails (newosproc).
	Strict Variant = "strict"
	// Fallback asks once whether MAP_STACK can be used. If it cannot, stacks come
	// from the heap, as in the stock runtime.
	Fallback Variant = "fallback"
	// Mended returns the result of clone on riscv64, where the stock runtime
	// overwrites it with zero.
	Mended Variant = "mended"
)

// All returns every variant.
func All() []Variant { return []Variant{Strict, Fallback, Mended} }

// Applies reports whether the variant exists for an architecture.
func (v Variant) Applies(goarch string) bool { return v != Mended || goarch == mendedArch }

// edits maps the name of each file that a variant replaces to the function that
// edits its text.
func (v Variant) edits(table abi.Table) (map[string]func([]byte) ([]byte, error), error) {
	switch v {
	case Strict, Fallback:
		return map[string]func([]byte) ([]byte, error){
			"proc.go": func(text []byte) ([]byte, error) { return mapStacks(text, table, v == Fallback) },
		}, nil
	case Mended:
		if !v.Applies(table.GOARCH) {
			return nil, fmt.Errorf("the runtime of %s returns the result of clone; the variant %s is for %s", table.GOARCH, v, mendedArch)
		}
		return map[string]func([]byte) ([]byte, error){"sys_linux_" + mendedArch + ".s": mendClone}, nil
	}
	return nil, fmt.Errorf("there is no runtime variant %q; there are %v", v, All())
}

// Write makes a variant of the runtime below goroot for an architecture. It leaves
// its files in dir and returns the path of the overlay for go build, which must run
// with this goroot. dir must not change while go builds.
func (v Variant) Write(goroot string, table abi.Table, dir string) (string, error) {
	edits, err := v.edits(table)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, edit := range edits {
		from := filepath.Join(goroot, "src", "runtime", name)
		text, err := os.ReadFile(from)
		if err != nil {
			return "", fmt.Errorf("read the toolchain's runtime: %w", err)
		}
		if text, err = edit(text); err != nil {
			return "", fmt.Errorf("make the runtime variant %s from %s of %s: %w", v, name, version(goroot), err)
		}
		to := filepath.Join(dir, name)
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return "", err
		}
		replace[from] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o644)
}

// version returns the toolchain's own name for itself, for messages.
func version(goroot string) string {
	text, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if err != nil {
		return goroot
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
