package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
)

func verdictCommand() *cobra.Command {
	var record string
	var strict bool
	cmd := &cobra.Command{
		Use: "verdict DIR", Short: "Compute a run's verdict again, from its evidence alone",
		Long: "verdict reads the evidence of a finished run (out/<run>), judges every claim again, and compares\n" +
			"the result with the report beside it. It boots nothing and downloads nothing.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, cells, err := evidence.Load(args[0])
			if err != nil {
				return err
			}
			r, err := judge(asked, cells)
			if err != nil {
				return err
			}
			if err := summary.Write(cmd.OutOrStdout(), r); err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), end(r, strict))
			if err := compare(filepath.Join(args[0], reportFile), r); err != nil {
				return err
			}
			if record != "" {
				if err := r.Recordable(); err != nil {
					return err
				}
				return evidence.Keep(record, asked, cells)
			}
			return statusError(r.ExitCode(strict))
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, strictUsage)
	cmd.Flags().StringVar(&record, "record", "", "copy the evidence of a complete run to this folder, for tests that judge it again")
	return cmd
}

// compare returns an error if the report at path is not r, which the evidence beside it gives.
// A run that was stopped has no report.
func compare(path string, r report.Report) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	return r.Compare(path, b)
}
