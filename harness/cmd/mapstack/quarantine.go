package main

import (
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/harness/source/kernel"
	"github.com/mapstack/conformance/harness/source/quarantine"
)

// quarantineCommand is what this program starts itself with, to read bytes that may be
// hostile.
func quarantineCommand() *cobra.Command {
	return &cobra.Command{
		Use: quarantine.Command + " JOB", Short: "Read bytes that may be hostile, for another mapstack", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return quarantine.Serve(cmd.Context(), args[0], intake.Job, kernel.UnwrapJob)
		},
	}
}
