package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/workbench"
)

func bundleCommand() *cobra.Command {
	var s selection
	var to string
	cmd := &cobra.Command{
		Use: "bundle", Short: "Write one program with everything that the cells need, for machines without a network",
		Long: bundleLong,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			made, err := makeBundle(cmd, s, to)
			if err != nil {
				return err
			}
			info, err := os.Stat(to)
			if err != nil {
				return err
			}
			pick := tongue(cmd).Pick
			w := cmd.OutOrStdout()
			if len(made.beside) > 0 {
				fmt.Fprintf(w, pick("Take along %s and the files that it names for %s: they are not in the bundle.\n", "请一并带上 %s 和它为 %s 所写的文件：它们不在程序包中。\n"),
					made.file, strings.Join(made.beside, ", "))
			}
			_, err = fmt.Fprintf(w, pick("%s: %d MiB, %d cells\n", "%s：%d MiB，%d 个单元\n"), to, info.Size()>>20, made.cells)
			return err
		},
	}
	s.flags(cmd)
	s.talk.flags(cmd)
	s.matrixFlag(cmd)
	cmd.Flags().StringVarP(&to, "output", "o", "mapstack-bundle", "file to write")
	return cmd
}

// contents are what a bundle has.
type contents struct {
	cells  int
	file   string   // the matrix file
	beside []string // cells of it whose files are not in the bundle
}

// makeBundle writes the bundle.
func makeBundle(cmd *cobra.Command, s selection, to string) (made contents, err error) {
	if err := workbench.CanBundle(); err != nil {
		return made, err
	}
	c, err := s.chosen()
	if err != nil {
		return made, err
	}
	c.announce(cmd)
	cells, own := c.apart()
	d := s.talk.display()
	defer d.Close()
	bench, err := workbench.Open(cmd.Context(), s.options(d.Sink))
	if err != nil {
		return made, err
	}
	packed, err := subject.Pack(cmd.Context(), bench, own)
	if err != nil {
		return made, err
	}
	_, pins, err := bench.Fetch(cmd.Context(), cells)
	if err != nil {
		return made, err
	}
	made = contents{cells: len(cells) + len(own), beside: packed.Beside}
	if c.file != nil {
		made.file = c.file.File
	}
	return made, bench.Bundle(cmd.Context(), cells, pins, packed.Architectures, packed.Files, to)
}

// bundleLong is the help of bundle.
const bundleLong = "bundle writes a mapstack that downloads nothing. Kernels, QEMU and its libraries are inside it, with Debian's\n" +
	"signatures. It runs on machines of the same architecture as this one. Of a matrix file it has the emulators\n" +
	"and the downloads; the file itself, and what it names by a path, must be taken along."
