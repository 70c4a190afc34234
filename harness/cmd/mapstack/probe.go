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
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/poc/wire"
)

func probeCommand() *cobra.Command {
	var locked bool
	var log, goarch string
	var at aim
	cmd := &cobra.Command{
		Use: "probe CELL PROBE [ARGS...]", Short: "Run one probe in one cell and print what it observed",
		Long: "probe boots a cell, runs one probe and prints its observations to stdout, one JSON object\n" +
			"a line, then how the probe ended. With --target there is no CELL: the probe runs there. It\n" +
			"judges nothing; exit status 2 says that the probe did not end well. The probe `hostile`\n" +
			"misbehaves on purpose, to see what the harness makes of it.",
		Example: "  mapstack probe mips64le-debian12-6.1-malta mapstack\n  mapstack probe amd64-debian12-6.1 hostile panic\n  mapstack probe --target ssh://root@board facts",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (failed error) {
			var cell matrix.Cell
			if at.where == "" {
				if goarch != "" || at.destructive {
					return errors.New("--arch and --destructive are about a --target; a cell has an architecture, and nobody else uses a guest")
				}
				if len(args) < 2 {
					return errors.New("probe needs a cell and a probe; `mapstack list` shows the cells")
				}
				s := selection{Selection: matrix.Selection{Cell: args[0]}, locked: locked}
				cells, err := s.cells()
				if err != nil {
					return err
				}
				if len(cells) != 1 {
					return fmt.Errorf("%q is %d cells; a probe runs in one", args[0], len(cells))
				}
				cell, args = cells[0], args[1:]
			}
			d := newDisplay(os.Stderr)
			defer d.close()
			bench, err := workbench.Open(cmd.Context(), ".", fixtures.FS(), locked, d.sink)
			if err != nil {
				return err
			}
			if at.where != "" {
				var system *target.Hosted
				if cell, system, err = at.connect(cmd.Context(), bench, goarch); err != nil {
					return err
				}
				defer func() {
					failed = errors.Join(failed, system.Unchanged(cmd.Context()), system.Close())
				}()
			}
			if err := known(cmd.Context(), bench, cell.Arch, args[0]); err != nil {
				return err
			}
			console, err := os.Create(log)
			if err != nil {
				return fmt.Errorf("write the console log: %w; give another file with --console", err)
			}
			defer console.Close()
			var t wire.Transcript
			origin, err := bench.Engine().Open(cmd.Context(), cell, console)
			if err != nil {
				return err
			}
			run, err := origin.With(cmd.Context(), console, func(g target.Agent) error {
				t, err = g.Run(cmd.Context(), args[0], args[1:])
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
	cmd.Flags().StringVar(&at.where, "target", "", "run it in a system that runs already, as run does: native, ssh://user@host[:port], or user")
	cmd.Flags().StringVar(&goarch, "arch", "", "the architecture that --target user emulates")
	cmd.Flags().BoolVar(&at.destructive, "destructive", false, "let it do to the target what others who use it would suffer from")
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
