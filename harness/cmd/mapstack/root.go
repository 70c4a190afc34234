package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/local"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// selection is the flags that narrow the matrix, shared by most commands.
type selection struct {
	matrix.Selection
	locked   bool
	supplied []string
	programs string // folder of programs that somebody else compiled, empty for none
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mapstack",
		Short: "Test whether Linux kernels treat Go's threads right",
		Long: "mapstack boots real kernels, runs cgo-free probes in them, and judges what they saw.\n\n" +
			"Exit status: 0 conformant, 1 non-conformant, 2 incomplete, 69 infrastructure or usage.",
		SilenceUsage: true, SilenceErrors: true,
	}
	cmd.AddCommand(runCommand(), listCommand(), probeCommand(), fetchCommand(), bundleCommand(), verdictCommand(), doctorCommand(), killTableCommand(), cacheCommand(), diagnoseCommand(), stage0Command())
	return cmd
}

func (s *selection) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.Arch, "arch", "", "only these architectures, by any of their names (comma-separated)")
	cmd.Flags().StringVar(&s.Cell, "cell", "", "only these cells")
	cmd.Flags().StringVar(&s.Kernel, "kernel", "", "only these kernel series, such as 6.1 or newest; run also takes a file: a kernel, a .deb, a .rpm")
	cmd.Flags().StringArrayVar(&s.supplied, "supply", nil, "NAME=VALUE of a part that no archive has, such as SW64_KERNEL=FILE, before the environment's (may be repeated)")
	cmd.Flags().BoolVar(&s.locked, "locked", false, "accept no kernel but the one in fixtures/kernels.lock")
}

// cells loads the matrix and selects from it.
func (s *selection) cells() ([]matrix.Cell, error) {
	if err := s.supply(); err != nil {
		return nil, err
	}
	all, err := matrix.Load(fixtures.FS())
	if err != nil {
		return nil, err
	}
	if all, err = workbench.Bundled(all); err != nil {
		return nil, err
	}
	return matrix.Select(all, s.Selection)
}

// supply puts what --supply names where the environment's words are looked up.
func (s *selection) supply() error {
	var names []string
	for _, text := range s.supplied {
		set := false
		for _, goarch := range arch.Names() {
			rec, err := arch.Lookup(goarch)
			if err != nil || !rec.Supplied {
				continue
			}
			names = append(names, local.Variables(rec)...)
			if name, value, err := local.Setting(rec, text); err == nil {
				set = true
				if err := os.Setenv(name, value); err != nil {
					return err
				}
			}
		}
		if !set {
			return fmt.Errorf("--supply %q supplies nothing; give NAME=VALUE with one of %s", text, strings.Join(names, ", "))
		}
	}
	return nil
}

func listCommand() *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use: "list", Short: "Show the cells", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.Tiered = true
			cells, err := s.cells()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "CELL\tARCH\tKERNEL\tPAGE\tCPUS\tMEMORY\tTIER\tOS")
			for _, c := range cells {
				fmt.Fprintf(w, "%s\t%s\t%s\t%dk\t%d\t%d MiB\t%s\t%s\n",
					c.Name, c.Arch, cmp.Or(c.Kernel.Series, string(c.Kernel.From)), c.PageSize>>10, c.CPUs, c.Memory, cmp.Or(strings.TrimPrefix(c.For+" "+string(c.Tier), " "), "-"), c.OS)
			}
			return w.Flush()
		},
	}
	s.flags(cmd)
	return cmd
}
