package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/changes"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/page"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

func diffCommand() *cobra.Command {
	var markdown, all bool
	var html string
	cmd := &cobra.Command{
		Use: "diff DIR[@CELL] DIR[@CELL]", Short: "Show what changed between two runs",
		Long: "diff judges the evidence of two finished runs and shows each claim that they decide differently, with what was observed\n" +
			"in both. Cells with the same name are compared, or one cell of each run. It exits with 1 if anything got worse.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, place := range args {
				folder, _, _ := runOf(place)
				if html == "" {
					break
				}
				if err := apart("--html", folder, html); err != nil {
					return err
				}
			}
			before, err := judgedAt(args[0])
			if err != nil {
				return err
			}
			after, err := judgedAt(args[1])
			if err != nil {
				return err
			}
			c, err := changes.Between(before, after)
			if err != nil {
				return err
			}
			w := changes.Writer{Language: tongue(cmd), Claims: after.Claims, Markdown: markdown, All: all}
			if err := w.Write(cmd.OutOrStdout(), c); err != nil {
				return err
			}
			if html != "" {
				if err := writeReport(filepath.Dir(html), filepath.Base(html), func(w io.Writer) error { return page.WriteChanges(w, before, after, c) }); err != nil {
					return err
				}
			}
			if len(c.Of(changes.Regression)) > 0 {
				return statusError(verdict.ExitNonConformant)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also list claims that pass in both runs with other numbers or details")
	cmd.Flags().StringVar(&html, "html", "", "also write a page for people to this file, with all changes and details")
	cmd.Flags().BoolVar(&markdown, "markdown", false, "write tables in Markdown")
	return cmd
}

// runOf parts DIR@CELL.
func runOf(place string) (folder, cell string, one bool) {
	folder, cell, one = strings.Cut(place, "@")
	return runFolder(folder), cell, one
}

// judgedAt judges the evidence in a folder, or that of one cell, as DIR@CELL.
func judgedAt(place string) (report.Report, error) {
	folder, cell, one := runOf(place)
	asked, cells, err := evidence.Load(folder)
	if err != nil {
		return report.Report{}, err
	}
	r, err := judge(asked, cells)
	if err != nil || !one {
		return r, err
	}
	if r, err = changes.Narrow(r, cell); err != nil {
		return r, fmt.Errorf("%s: %w", folder, err)
	}
	return r, nil
}
