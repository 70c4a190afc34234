package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/run/workbench"
)

func bundleCommand() *cobra.Command {
	var s selection
	var to string
	cmd := &cobra.Command{
		Use: "bundle", Short: "Write one program with everything that the cells need, for machines without a network",
		Long: "bundle writes a mapstack that downloads nothing. Kernels, QEMU and its libraries are inside it, with Debian's\n" +
			"signatures. It runs on machines of the same architecture as this one.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cells, err := makeBundle(cmd.Context(), s, to)
			if err != nil {
				return err
			}
			info, err := os.Stat(to)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d MiB, %d cells\n", to, info.Size()>>20, cells)
			return err
		},
	}
	s.flags(cmd)
	s.talk.flags(cmd)
	cmd.Flags().StringVarP(&to, "output", "o", "mapstack-bundle", "file to write")
	return cmd
}

// makeBundle writes the bundle and returns how many cells it has.
func makeBundle(ctx context.Context, s selection, to string) (int, error) {
	if err := workbench.CanBundle(); err != nil {
		return 0, err
	}
	cells, err := s.cells()
	if err != nil {
		return 0, err
	}
	d := s.talk.display()
	defer d.Close()
	bench, err := workbench.Open(ctx, s.options(d.Sink))
	if err != nil {
		return 0, err
	}
	_, pins, err := bench.Fetch(ctx, cells)
	if err != nil {
		return 0, err
	}
	return len(cells), bench.Bundle(ctx, cells, pins, to)
}
