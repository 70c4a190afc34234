package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/arch"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/target"
	"github.com/mapstack/conformance/harness/verdict"
	"github.com/mapstack/conformance/harness/workbench"
	"github.com/mapstack/conformance/poc/wire"
)

func probeCommand() *cobra.Command {
	var locked bool
	var log string
	cmd := &cobra.Command{
		Use: "probe CELL PROBE [ARGS...]", Short: "Run one probe in one cell and print what it observed",
		Long: "probe boots a cell, runs one probe and prints its observations to stdout, one JSON object\n" +
			"a line, then how the probe ended. It judges nothing; exit status 2 says that the probe did\n" +
			"not end well. The probe `hostile` misbehaves on purpose, to see what the harness makes of it.",
		Example: "  mapstack probe mips64le-debian12-6.1-malta mapstack\n  mapstack probe amd64-debian12-6.1 hostile panic",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			s := selection{Selection: matrix.Selection{Cell: args[0]}, locked: locked}
			cells, err := s.cells()
			if err != nil {
				return err
			}
			if len(cells) != 1 {
				return fmt.Errorf("%q is %d cells; a probe runs in one", args[0], len(cells))
			}
			d := newDisplay(os.Stderr)
			defer d.close()
			bench, err := workbench.Open(cmd.Context(), ".", fixtures.FS(), locked, d.sink)
			if err != nil {
				return err
			}
			if err := known(cmd.Context(), bench, cells[0].Arch, args[1]); err != nil {
				return err
			}
			console, err := os.Create(log)
			if err != nil {
				return fmt.Errorf("write the console log: %w; give another file with --console", err)
			}
			defer console.Close()
			var t wire.Transcript
			origin, err := bench.Engine().Open(cmd.Context(), cells[0], console)
			if err != nil {
				return err
			}
			run, err := origin.With(cmd.Context(), console, func(g target.Agent) error {
				t, err = g.Run(cmd.Context(), args[1], args[2:])
				return err
			})
			if err := errors.Join(err, run.Err()); err != nil {
				return err
			}
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetEscapeHTML(false)
			for _, o := range t.Observations {
				if err := out.Encode(o); err != nil {
					return err
				}
			}
			if err := out.Encode(map[string]wire.Exit{"exit": t.Exit}); err != nil {
				return err
			}
			if !t.Exit.Clean() {
				return exitError(verdict.ExitIncomplete)
			}
			return nil
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the probe's name is the probe's
	cmd.Flags().BoolVar(&locked, "locked", false, "accept no kernel but the one in fixtures/kernels.lock")
	cmd.Flags().StringVar(&log, "console", os.DevNull, "file for the guest's console log")
	return cmd
}

// known refuses a probe that the guest image does not have, before a minute is
// spent on booting it.
func known(ctx context.Context, bench *workbench.Bench, goarch, probe string) error {
	rec, err := arch.Lookup(goarch)
	if err != nil {
		return err
	}
	image, err := bench.Guests.Image(ctx, rec)
	if err != nil {
		return err
	}
	if !slices.Contains(image.Probes, probe) {
		return fmt.Errorf("unknown probe %q; on %s the probes are %s", probe, goarch, strings.Join(image.Probes, ", "))
	}
	return nil
}
