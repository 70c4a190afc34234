package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/evidence"
	"github.com/mapstack/conformance/harness/report"
)

func verdictCommand() *cobra.Command {
	return &cobra.Command{
		Use: "verdict DIR", Short: "Compute a run's verdict again, from its evidence alone",
		Long: "verdict reads the evidence of a finished run (out/<run>), judges every claim again, and\n" +
			"compares the answer with the report beside it. It boots nothing and downloads nothing.",
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
			if err := r.WriteTable(cmd.OutOrStdout()); err != nil {
				return err
			}
			if err := compare(filepath.Join(args[0], reportFile), r); err != nil {
				return err
			}
			return verdictError(r.Verdict)
		},
	}
}

// compare refuses a report whose outcomes its own evidence does not give.
func compare(path string, r report.Report) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	var before report.Report
	if err := json.Unmarshal(b, &before); err != nil {
		return fmt.Errorf("read the report %s: %w", path, err)
	}
	if !reflect.DeepEqual(before.Outcomes, r.Outcomes) || before.Verdict != r.Verdict {
		return fmt.Errorf("%s says %s, its evidence gives %s: the report, the evidence or the claims were changed since",
			path, before.Verdict.Verdict, r.Verdict.Verdict)
	}
	return nil
}
