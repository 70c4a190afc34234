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
	"github.com/mapstack/conformance/poc/catalog"
)

// edits is the files of the runtime that a variant replaces, by name, with what
// makes the new text of the old.
func edits(v catalog.Variant, table abi.Table) (map[string]func([]byte) ([]byte, error), error) {
	switch v {
	case catalog.Strict, catalog.Fallback:
		return map[string]func([]byte) ([]byte, error){
			"proc.go": func(text []byte) ([]byte, error) { return mapStacks(text, table, v == catalog.Fallback) },
		}, nil
	case catalog.Mended:
		l, loses := losses()[table.GOARCH]
		if !loses {
			return nil, fmt.Errorf("the runtime of %s returns the result of clone; it needs no variant %s", table.GOARCH, v)
		}
		return map[string]func([]byte) ([]byte, error){
			"sys_linux_" + table.GOARCH + ".s": func(text []byte) ([]byte, error) { return mendClone(text, l) },
		}, nil
	}
	return nil, fmt.Errorf("there is no runtime variant %q; there are %v", v, catalog.Variants())
}

// Write makes a variant of the runtime below goroot for an architecture. It
// leaves its files in dir and returns the path of the overlay for go build, which
// must run with this goroot. dir must not change while go builds.
func Write(v catalog.Variant, goroot string, table abi.Table, dir string) (string, error) {
	edits, err := edits(v, table)
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
