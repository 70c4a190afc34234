package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/arch"
	"github.com/mapstack/conformance/harness/kernel"
	"github.com/mapstack/conformance/harness/workbench"
)

func fetchCommand() *cobra.Command {
	var s selection
	var update bool
	cmd := &cobra.Command{
		Use: "fetch", Short: "Download and prepare everything the cells need, without booting them",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cells, err := s.cells()
			if err != nil {
				return err
			}
			d := newDisplay(os.Stderr)
			bench, err := workbench.Open(cmd.Context(), ".", fixtures.FS(), s.locked, d.sink)
			if err != nil {
				d.close()
				return err
			}
			images := make([]kernel.Image, len(cells))
			pins := make([]kernel.Pin, len(cells))
			failures := make([]error, len(cells))
			var group errgroup.Group
			group.SetLimit(2 * bench.Host.Cores)
			for i, cell := range cells {
				group.Go(func() error {
					// One cell's trouble does not keep the others from being fetched.
					failures[i] = func() (err error) {
						rec, err := arch.Lookup(cell.Arch)
						if err != nil {
							return err
						}
						if images[i], err = bench.Kernels.Image(cmd.Context(), cell); err != nil {
							return err
						}
						if pins[i], err = bench.Kernels.Resolve(cmd.Context(), cell); err != nil {
							return err
						}
						if _, err = bench.Toolbox.Find(cmd.Context(), rec); err != nil {
							return err
						}
						_, err = bench.Guests.Image(cmd.Context(), rec)
						return err
					}()
					return nil
				})
			}
			_ = group.Wait()
			d.close()
			if err := errors.Join(failures...); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "CELL\tKERNEL\tPACKAGE\tVERSION\tFORMAT")
			for i, cell := range cells {
				k := images[i]
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", cell.Name, k.Release, k.Provenance.Package, k.Provenance.Version, k.Format)
			}
			if err := w.Flush(); err != nil || !update {
				return err
			}
			return writeLock(filepath.Join(bench.Tools.Root(), "fixtures", "kernels.lock"), pins)
		},
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&update, "update-lock", false, "write what the whole matrix resolved to into fixtures/kernels.lock")
	cmd.MarkFlagsMutuallyExclusive("update-lock", "locked")
	for _, narrow := range []string{"arch", "cell", "kernel"} {
		// A lock of a part would drop the rest.
		cmd.MarkFlagsMutuallyExclusive("update-lock", narrow)
	}
	return cmd
}

func writeLock(path string, pins []kernel.Pin) error {
	seen := map[string]bool{}
	var lock kernel.Lock
	for _, p := range pins {
		key := p.Suite + " " + p.Arch + " " + p.Asked
		if !seen[key] {
			seen[key] = true
			lock.Kernels = append(lock.Kernels, p)
		}
	}
	data, err := lock.Marshal()
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("write the kernel lock: %w", err)
	}
	return nil
}
