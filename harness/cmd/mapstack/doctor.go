package main

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/doctor"
)

func doctorCommand() *cobra.Command {
	var s selection
	var form output
	cmd := &cobra.Command{
		Use: "doctor", Short: "List what this machine lacks, with the command that supplies it",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := form.json()
			if err != nil {
				return err
			}
			c, err := s.chosen()
			if err != nil {
				return err
			}
			c.announce(cmd)
			_, listed := c.apart()
			found := doctor.Examine(cmd.Context(), c.cells, s.options(progress.Discard))
			found = append(found, doctor.Listed(listed)...)
			show := showFindings
			if asJSON {
				show = writeFindings
			}
			missing, err := show(cmd.OutOrStdout(), found, tongue(cmd))
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
	s.matrixFlag(cmd)
	form.flags(cmd)
	return cmd
}

// examined is what `mapstack doctor` writes as JSON.
type examined struct {
	Schema   string           `json:"schema"`
	Missing  int              `json:"missing"` // how many findings have a remedy
	Findings []doctor.Finding `json:"findings"`
}

// writeFindings writes what was found for other programs.
func writeFindings(w io.Writer, found []doctor.Finding, _ language.Language) (missing int, err error) {
	for _, f := range found {
		if f.Remedy != "" {
			missing++
		}
	}
	return missing, writeJSON(w, examined{outputSchema, missing, list(found)})
}

func showFindings(w io.Writer, found []doctor.Finding, l language.Language) (missing int, err error) {
	t := columns()
	for _, f := range found {
		mark := l.Pick("ok", "正常")
		if f.Remedy != "" {
			mark = l.Pick("missing", "缺少")
			missing++
		}
		t.AppendRow(table.Row{mark, f.What, f.State})
		if f.Remedy != "" {
			t.AppendRow(table.Row{"", "", "-> " + f.Remedy})
		}
	}
	_, err = fmt.Fprintln(w, t.Render())
	return missing, err
}
