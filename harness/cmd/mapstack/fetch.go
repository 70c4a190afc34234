package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/guest/prebuilt"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/kernel"
)

func fetchCommand() *cobra.Command {
	var s selection
	var update bool
	cmd := &cobra.Command{
		Use: "fetch", Short: "Download and prepare everything the cells need, without booting them",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.Tiered = update // the lock is of every kernel that an archive holds
			cells, err := s.cells()
			if err != nil {
				return err
			}
			cells = slices.DeleteFunc(cells, func(c matrix.Cell) bool { return c.Kernel.From == matrix.Supplied })
			if update && prebuilt.Images() != nil {
				return errors.New("--update-lock writes to a checkout; run the mapstack that make builds there")
			}
			d := newDisplay(os.Stderr)
			bench, err := workbench.Open(cmd.Context(), ".", fixtures.FS(), s.locked, d.sink)
			if err != nil {
				d.close()
				return err
			}
			images, pins, err := fetchAll(cmd.Context(), bench, cells)
			d.close()
			if err != nil {
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

// fetchAll prepares every cell. One cell's trouble does not keep the others
// from being fetched.
func fetchAll(ctx context.Context, bench *workbench.Bench, cells []matrix.Cell) ([]kernel.Image, []kernel.Pin, error) {
	images := make([]kernel.Image, len(cells))
	pins := make([]kernel.Pin, len(cells))
	failures := make([]error, len(cells))
	var group errgroup.Group
	group.SetLimit(2 * bench.Host.Cores)
	for i, cell := range cells {
		group.Go(func() error {
			images[i], pins[i], failures[i] = fetchCell(ctx, bench, cell)
			return nil
		})
	}
	_ = group.Wait()
	return images, pins, errors.Join(failures...)
}

func fetchCell(ctx context.Context, bench *workbench.Bench, cell matrix.Cell) (image kernel.Image, pin kernel.Pin, err error) {
	rec, err := arch.Lookup(cell.Arch)
	if err != nil {
		return image, pin, err
	}
	if image, err = bench.Kernels.Image(ctx, cell); err != nil {
		return image, pin, err
	}
	if pin, err = bench.Kernels.Resolve(ctx, cell); err != nil {
		return image, pin, err
	}
	if _, err = bench.Toolbox.Find(ctx, rec); err != nil {
		return image, pin, err
	}
	_, err = bench.Guests.Image(ctx, rec)
	return image, pin, err
}

func writeLock(path string, pins []kernel.Pin) error {
	data, err := kernel.LockOf(pins).Marshal()
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("write the kernel lock: %w", err)
	}
	return nil
}
