package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/doctor"
)

func doctorCommand() *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use: "doctor", Short: "List what this machine lacks, with the command that supplies it",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cells, err := s.cells()
			if err != nil {
				return err
			}
			found := doctor.Examine(cmd.Context(), cells, s.options(progress.Discard))
			missing, err := showFindings(cmd.OutOrStdout(), found)
			if err != nil {
				return err
			}
			if missing > 0 {
				return exitError(verdict.ExitInfrastructure)
			}
			return nil
		},
	}
	s.flags(cmd)
	return cmd
}

func showFindings(w io.Writer, found []doctor.Finding) (missing int, err error) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range found {
		mark := "ok"
		if f.Remedy != "" {
			mark = "missing"
			missing++
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", mark, f.What, f.State)
		if f.Remedy != "" {
			fmt.Fprintf(t, "\t\t-> %s\n", f.Remedy)
		}
	}
	return missing, t.Flush()
}
