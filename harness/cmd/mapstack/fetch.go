package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/guest/prebuilt"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/kernel"
)

func fetchCommand() *cobra.Command {
	var s selection
	var update, listed bool
	var form output
	cmd := &cobra.Command{
		Use: "fetch", Short: "Download and prepare everything the cells need, without booting them",
		Long: fetchLong,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := form.json()
			if err == nil && asJSON && !listed {
				err = errors.New("--output json is about --list; give both")
			}
			if err != nil {
				return err
			}
			s.All = update // the lock pins every kernel that an archive holds
			s.discovers = !update
			c, err := s.chosen()
			if err != nil {
				return err
			}
			c.announce(cmd)
			cells, own := c.apart()
			cells = slices.DeleteFunc(cells, func(c matrix.Cell) bool { return c.Kernel.From == matrix.Supplied })
			if update && prebuilt.Images() != nil {
				return errors.New("--update-lock writes to a checkout; use the bin/mapstack that make builds there")
			}
			if listed {
				if files := slices.DeleteFunc(slices.Clone(own), func(l subject.Listed) bool { return l.Suite != "" || l.Target != "" }); len(files) > 0 {
					fmt.Fprintf(cmd.ErrOrStderr(), tongue(cmd).Pick("The list has packages of archives alone; %d cells have files of their own, which the matrix file names.\n",
						"清单只包含软件仓库中的软件包；%d 个单元使用矩阵文件所写的自有文件。\n"), len(files))
				}
				return listNeeded(cmd, s, cells, own, asJSON)
			}
			d := s.talk.display()
			o := s.options(d.Sink)
			o.Guestless = !update
			bench, err := workbench.Open(cmd.Context(), o)
			if err != nil {
				d.Close()
				return err
			}
			var grouped []matrix.Cell
			if update {
				// The lock needs the packages of these cells and not their kernels, some of
				// which take minutes to build.
				for _, c := range cells {
					if c.Group != "" {
						grouped = append(grouped, c)
					}
				}
				cells = slices.DeleteFunc(cells, func(c matrix.Cell) bool { return c.Group != "" })
			}
			images, pins, err := bench.Fetch(cmd.Context(), cells)
			if err == nil {
				var more []kernel.Pin
				more, err = bench.Pins(cmd.Context(), grouped)
				pins = append(pins, more...)
			}
			prepared, failed := subject.Prepare(cmd.Context(), bench, own)
			d.Close()
			if err := errors.Join(err, failed); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "CELL\tKERNEL\tPACKAGE\tVERSION\tFORMAT")
			for i, cell := range cells {
				k := images[i]
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", cell.Name, k.Release, k.Provenance.Package, k.Provenance.Version, k.Format)
			}
			for i, l := range own {
				k := prepared[i].Kernel
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Name, cmp.Or(k.Release, "-"), cmp.Or(k.Provenance.Package, k.Provenance.Filename, "-"), cmp.Or(k.Provenance.Version, "-"), cmp.Or(string(k.Format), "-"))
			}
			if bench.ToolsProblem != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), tongue(cmd).Pick("The guest programs were not compiled: %v.\n", "没有编译客户机程序：%v。\n"), bench.ToolsProblem)
			}
			if err := w.Flush(); err != nil || !update {
				return err
			}
			return bench.WriteLock(pins)
		},
	}
	s.flags(cmd)
	s.talk.flags(cmd)
	s.matrixFlag(cmd)
	cmd.Flags().BoolVar(&update, "update-lock", false, "write the kernels that the whole matrix resolved to into fixtures/kernels.lock")
	cmd.Flags().BoolVar(&listed, "list", false, "list what would be downloaded, with size, hash and where it is from, and download no package")
	form.flags(cmd)
	cmd.MarkFlagsMutuallyExclusive("update-lock", "locked")
	cmd.MarkFlagsMutuallyExclusive("update-lock", "list")
	cmd.MarkFlagsMutuallyExclusive("update-lock", "offline")
	for _, narrow := range []string{"matrix", "arch", "cell", "skip", "kernel"} {
		// A lock of a part of the matrix would lose the other cells.
		cmd.MarkFlagsMutuallyExclusive("update-lock", narrow)
	}
	return cmd
}

// fetchLong is the help of fetch.
const fetchLong = "fetch downloads kernels, emulators and the files that a matrix file names by their URLs, and checks each against\n" +
	"a signature or a hash. It also compiles the guest programs, if this is a checkout. A run with --offline then needs\n" +
	"no network. With --list it only says what would be downloaded, how large it is and where it is from."
