package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/language"
)

func verdictCommand() *cobra.Command {
	var record, write string
	var strict bool
	var drawing drawing
	var form output
	cmd := &cobra.Command{
		Use: "verdict [DIR|DIR/report.json]", Short: "Compute a run's verdict again, from its evidence alone",
		Long: "verdict reads the evidence of a finished run (out/<run>), judges every claim again, and compares\n" +
			"the result with the report beside it. It boots nothing and downloads nothing. Without DIR it takes\n" +
			"out/latest, the run that ended last.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := form.json()
			if err != nil {
				return err
			}
			folder, err := named(cmd, args)
			if err != nil {
				return err
			}
			asked, cells, err := evidence.Load(folder)
			if err != nil {
				return err
			}
			said, err := replay(folder, cells)
			if err != nil {
				return err
			}
			r, err := judge(asked, cells)
			if err != nil {
				return err
			}
			if r.Header.Evidence, err = digest(folder); err != nil {
				return err
			}
			style := drawing.style(cmd, strict)
			if asJSON {
				err = r.WriteJSON(cmd.OutOrStdout())
				fmt.Fprint(cmd.ErrOrStderr(), shown(said, style.Language)) // the standard output is the report
			} else if err = draw(cmd, style, r); err == nil {
				fmt.Fprint(cmd.OutOrStdout(), end(style, r)+partText(asked.Shard, style.Language)+shown(said, style.Language))
			}
			if err != nil {
				return err
			}
			if err := compare(folder, r); err != nil {
				return err
			}
			if write != "" {
				if err := os.MkdirAll(write, 0o755); err != nil {
					return fmt.Errorf("make a folder for the reports: %w; give another one with --write", err)
				}
				if err := writeReports(write, folder, r, cells, strict); err != nil {
					return err
				}
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
	drawing.flags(cmd)
	form.flags(cmd)
	cmd.Flags().StringVar(&write, "write", "", "write the reports of the evidence to this folder: report.json, report.html, junit.xml")
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
func shown(r evidence.Replayed, l language.Language) string {
	return fmt.Sprintf(l.Pick("\n%d of %d transcripts are what the console logs hold. The others have no log to compare with, or are of stage 0.\n"+
		"This shows how the verdict follows from the evidence. That the run took place is shown by running the cells again.\n",
		"\n%d 份记录与控制台日志一致，共 %d 份。其余的没有可比较的日志，或属于 stage 0。\n这说明结论如何由证据得出。要证明运行确实发生过，请重新运行这些单元。\n"),
		r.Compared, r.Compared+len(r.Unseen))
}

// digest returns the hash of a run's evidence.
func digest(folder string) (string, error) {
	root, err := evidence.Open(folder)
	if err != nil {
		return "", err
	}
	defer root.Close()
	return evidence.Digest(root.FS(), reportFile, pageFile, junitFile, ginkgoFile, certificateFile, changesFile)
}

// compare returns an error if the report in the folder is not r, which the evidence beside it
// gives, or was made of other evidence. A run that was stopped has no report.
func compare(folder string, r report.Report) error {
	root, err := evidence.Open(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	b, err := evidence.ReadReport(root.FS(), reportFile)
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
