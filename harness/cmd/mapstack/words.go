package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/suites"
)

// words is a flag whose value is a comma-separated list. Giving it again adds to the list.
type words string

// String returns the list.
func (w *words) String() string { return string(*w) }

// Type names the kind of the value in the help.
func (*words) Type() string { return "string" }

// Set adds to the list.
func (w *words) Set(value string) error {
	if *w != "" && value != "" {
		value = string(*w) + "," + value
	}
	*w = words(value)
	return nil
}

// Usages of the flags that take lists with patterns.
const (
	cellUsage      = "only these cells, groups of cells such as lean, or patterns such as 'arm64-*' (comma-separated, or given again)"
	skipUsage      = "leave out these cells or groups, or patterns of cells (comma-separated, or given again)"
	skipClaimUsage = "leave out these cells or groups, claims or suites, or patterns such as 'amd64-*' and 'CL-*' (comma-separated, or given again)"
	focusUsage     = "only these claims or suites, such as MS-003 or mmapabi, or patterns such as 'CL-*' (comma-separated, or given again)"
)

// focusFlag adds --focus to a command, and lets its --skip leave out claims, too.
func focusFlag(cmd *cobra.Command, focus *string) {
	cmd.Flags().Var((*words)(focus), "focus", focusUsage)
	cmd.Flags().Lookup("skip").Usage = skipClaimUsage
}

// leaveOut returns the focus without the claims and suites that --skip names, and the words of
// --skip that are about cells. The error is about a focus that names nothing.
func leaveOut(focus, skip string) (narrowed, cells string, err error) {
	var claims, rest []string
	for _, word := range matrix.Names(skip) {
		if suites.Known(word) {
			claims = append(claims, word)
		} else {
			rest = append(rest, word)
		}
	}
	narrowed = suites.Without(focus, claims)
	if len(claims) == 0 {
		narrowed = focus // as it was written
	}
	if _, err := suites.ClaimsFor(narrowed); err != nil {
		return "", "", err
	}
	return narrowed, strings.Join(rest, ","), nil
}

// without leaves out subjects by the names of their cells, where the selection knows no cells.
func (c *chosen) without(list string) error {
	for _, word := range matrix.Names(list) {
		is := func(name string) bool { return matrix.Matches(word, name) }
		if !slices.ContainsFunc(c.subjects, func(s subject.Subject) bool { return is(nameOf(s)) }) {
			return fmt.Errorf("--skip %s: none of the chosen cells has that name; mapstack run --dry-run shows them", word)
		}
		c.subjects = slices.DeleteFunc(c.subjects, func(s subject.Subject) bool { return is(nameOf(s)) })
		c.cells = slices.DeleteFunc(c.cells, func(cell matrix.Cell) bool { return is(cell.Name) })
	}
	if len(c.subjects) == 0 {
		return fmt.Errorf("--skip %s leaves out every cell; leave out less", list)
	}
	return nil
}
