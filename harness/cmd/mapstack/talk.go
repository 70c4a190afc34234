package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/progress/display"
)

// Usages of the flags that say how much a command tells while it works.
const (
	quietUsage   = "show no progress, but warnings and the result"
	verboseUsage = "show every step as a line of its own, also on a terminal, and all lines of an error"
)

// talk holds the flags that say how much a command tells while it works.
type talk struct{ quiet, verbose bool }

func (t *talk) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&t.quiet, "quiet", "q", false, quietUsage)
	cmd.Flags().BoolVarP(&t.verbose, "verbose", "v", false, verboseUsage)
	cmd.MarkFlagsMutuallyExclusive("quiet", "verbose")
}

// display returns what shows the progress on the standard error.
func (t talk) display() display.Display {
	switch {
	case t.quiet:
		return display.New(os.Stderr, display.Quiet)
	case t.verbose:
		return display.New(os.Stderr, display.Verbose)
	}
	return display.New(os.Stderr, display.Normal)
}
