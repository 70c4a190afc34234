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

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

func verdictCommand() *cobra.Command {
	var record string
	cmd := &cobra.Command{
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
			if err := summary.Write(cmd.OutOrStdout(), r); err != nil {
				return err
			}
			if err := compare(filepath.Join(args[0], reportFile), r); err != nil {
				return err
			}
			if record != "" {
				if err := recordable(r); err != nil {
					return err
				}
				return evidence.Keep(record, asked, cells)
			}
			return verdictError(r.Verdict)
		},
	}
	cmd.Flags().StringVar(&record, "record", "", "keep the evidence of a complete run in this folder, for tests to judge")
	return cmd
}

// recordable refuses a run that does not say how kernels are, or not all of it:
// what is recorded is taken for that.
func recordable(r report.Report) error {
	switch {
	case r.Defect != nil:
		return fmt.Errorf("the run is under the injected defect %s, which says nothing of a kernel; run the cells without --defect", r.Defect.Name)
	case r.Focus != "":
		return fmt.Errorf("the run is of %s alone; run the cells without --focus", r.Focus)
	case r.Verdict.Counts.Error+r.Verdict.Counts.NotRun > 0, r.Verdict.Verdict == verdict.Incomplete:
		return errors.New("the run is incomplete; mend what is listed above, then run the cells again")
	}
	return nil
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
	if what := difference(before, r); what != "" {
		return fmt.Errorf("%s is not what its evidence gives, %s: the report, the evidence or the claims were changed since; judge it with revision %s, which wrote it, or run the cells again",
			path, what, before.Header.Tool.Revision)
	}
	return nil
}

// difference says what differs first, "" when nothing does. The header differs
// from tool to tool and proves nothing.
func difference(before, now report.Report) string {
	if len(before.Outcomes) != len(now.Outcomes) {
		return fmt.Sprintf("it has %d outcomes and the evidence gives %d", len(before.Outcomes), len(now.Outcomes))
	}
	for i, was := range before.Outcomes {
		if is := now.Outcomes[i]; was != is {
			return fmt.Sprintf("it has claim %s on cell %s as %s and the evidence gives claim %s on cell %s as %s%s",
				was.Claim, was.Cell, was.Status, is.Claim, is.Cell, is.Status, otherReason(was, is))
		}
	}
	for _, part := range []struct {
		name    string
		was, is any
	}{
		{"schema", before.Schema, now.Schema},
		{"focus", before.Focus, now.Focus},
		{"injected defect", before.Defect, now.Defect},
		{"verdict", before.Verdict, now.Verdict},
		{"kernels, machines and parameters of the cells", before.Cells, now.Cells},
		{"text of the claims", before.Claims, now.Claims},
		{"tiers", before.Tiers, now.Tiers},
	} {
		if !reflect.DeepEqual(part.was, part.is) {
			return "the " + part.name + " being other"
		}
	}
	return ""
}

func otherReason(was, is verdict.Outcome) string {
	if was.Status == is.Status {
		return ", for another reason"
	}
	return ""
}
