package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
			said, err := replay(args[0], cells)
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
			fmt.Fprint(cmd.OutOrStdout(), end(r, strict)+shown(said))
			if err := compare(args[0], r); err != nil {
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

// replay compares the transcripts with the console logs.
func replay(folder string, cells []evidence.CellRun) (evidence.Replayed, error) {
	root, err := evidence.Open(folder)
	if err != nil {
		return evidence.Replayed{}, err
	}
	defer root.Close()
	r, err := evidence.Replay(root.FS(), cells)
	if err != nil {
		return r, fmt.Errorf("%s: %w", folder, err)
	}
	return r, nil
}

// shown returns what to say of transcripts that were compared with the console logs.
func shown(r evidence.Replayed) string {
	return fmt.Sprintf("\n%d of %d transcripts are what the console logs hold. The others have no log to compare with, or are of stage 0.\n"+
		"This shows how the verdict follows from the evidence. That the run took place is shown by running the cells again.\n",
		r.Compared, r.Compared+len(r.Unseen))
}

// digest returns the hash of a run's evidence.
func digest(folder string) (string, error) {
	root, err := evidence.Open(folder)
	if err != nil {
		return "", err
	}
	defer root.Close()
	return evidence.Digest(root.FS(), reportFile, junitFile, ginkgoFile, certificateFile)
}

// compare returns an error if the report in the folder is not r, which the evidence beside it
// gives, or was made of other evidence. A run that was stopped has no report.
func compare(folder string, r report.Report) error {
	root, err := evidence.Open(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	b, err := evidence.ReadFile(root.FS(), reportFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	path := filepath.Join(folder, reportFile)
	if err := r.Compare(path, b); err != nil {
		return err
	}
	var written struct{ Header report.Header }
	if err := json.Unmarshal(b, &written); err != nil || written.Header.Evidence == "" {
		return err // reports before this one do not say
	}
	if now, err := digest(folder); err != nil || now != written.Header.Evidence {
		return errors.Join(err, fmt.Errorf("%s was made of other evidence (SHA-256 %.12s) than is beside it (%.12s); something was changed after the run", path, written.Header.Evidence, now))
	}
	return nil
}
