package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/guest/prebuilt"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// versions is what `mapstack version` writes as JSON.
type versions struct {
	Schema   string `json:"schema"`
	Version  string `json:"version"`  // of the suites
	Revision string `json:"revision"` // of git, that the program was built from; "unknown" if nobody recorded it
	Go       string `json:"go"`       // that compiled the program
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	// Standalone says that the guest programs are inside, so that no checkout is needed.
	Standalone bool `json:"standalone"`
	// Evidence and Report are the schemas of the evidence and of the reports that the program writes.
	Evidence string `json:"evidenceSchema"`
	Report   string `json:"reportSchema"`
}

func thisVersion() versions {
	return versions{Schema: outputSchema, Version: version, Revision: workbench.Stamped(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Standalone: prebuilt.Images() != nil, Evidence: evidence.Schema, Report: report.Schema}
}

// String returns the version on one line.
func (v versions) String() string {
	return fmt.Sprintf("mapstack %s (revision %s, %s, %s/%s)", v.Version, v.Revision, v.Go, v.OS, v.Arch)
}

func versionCommand() *cobra.Command {
	var form output
	cmd := &cobra.Command{
		Use: "version", Short: "Show the version of this program", Args: cobra.NoArgs,
		Example: "  mapstack version\n  mapstack version -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := form.json()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), thisVersion())
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), thisVersion())
			return err
		},
	}
	form.flags(cmd)
	return cmd
}
