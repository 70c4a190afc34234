package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// selection holds the flags that narrow the matrix. Most commands share them.
type selection struct {
	matrix.Selection
	talk
	locked, offline bool
	supplied        []string
	os              string // an operating system or a product of one, by its name
	// matrix is the value of --matrix. A command without that flag has no discovers, and the
	// built-in matrix alone.
	matrix    string
	discovers bool
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mapstack",
		Short: "Test whether Linux kernels treat Go's threads right",
		Long: "mapstack boots real kernels, runs cgo-free probes in them, and judges what they saw.\n\n" +
			"Exit status: 0 conformant, or everything is as the known failures of the matrix say; 1 non-conformant; 2 incomplete; 69 infrastructure or usage.",
		SilenceUsage: true, SilenceErrors: true,
	}
	cmd.AddCommand(forPackagers()...)
	cmd.PersistentFlags().String("lang", "", "language of the output, en or zh (default: that of LC_ALL, LC_MESSAGES or LANG)")
	cmd.Version = version
	cmd.SetVersionTemplate(thisVersion().String() + "\n")
	cmd.InitDefaultHelpFlag() // else cobra takes what follows --help for its value
	cmd.SetHelpFunc(helpIn(cmd.HelpFunc()))
	cmd.AddCommand(runCommand(), listCommand(), probeCommand(), fetchCommand(), bundleCommand(), verdictCommand(), mergeCommand(), diffCommand(), flakesCommand(), exportCommand(), explainCommand(), bisectCommand(), claimsCommand(), certifyCommand(), verifyCommand(), doctorCommand(), killTableCommand(), cacheCommand(), diagnoseCommand(), stage0Command(), quarantineCommand(), initCommand(), versionCommand(), watchCommand(), benchCommand())
	describe(cmd)
	completeValues(cmd)
	cmd.InitDefaultHelpCmd()
	cmd.InitDefaultCompletionCmd()
	refuseUnknown(cmd)
	return cmd
}

// refuseUnknown makes a word that is no command an error. Of a command that only has others, and of
// help, cobra would show the help and end with 0.
func refuseUnknown(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		refuseUnknown(c)
		switch {
		case c.Name() == "help":
			c.Args = func(c *cobra.Command, args []string) error {
				if _, _, err := c.Root().Find(args); err != nil {
					return fmt.Errorf("help %s: %w; mapstack --help lists the commands and pages", strings.Join(args, " "), err)
				}
				return nil
			}
		case c.HasSubCommands() && !c.Runnable():
			c.Args = cobra.NoArgs
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
}

func (s *selection) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.Arch, "arch", "", "only these architectures, by any of their names (comma-separated)")
	cmd.Flags().Var((*words)(&s.Cell), "cell", cellUsage)
	cmd.Flags().Var((*words)(&s.Skip), "skip", skipUsage)
	cmd.Flags().StringVar(&s.Kernel, "kernel", "", "only these kernel series, such as 6.1 or newest (comma-separated)")
	cmd.Flags().StringArrayVar(&s.supplied, "supply", nil, "supply a part that no archive has, as NAME=VALUE, such as SW64_KERNEL=FILE; overrides the environment (may be repeated)")
	cmd.Flags().BoolVar(&s.locked, "locked", false, "accept no kernel but the one in fixtures/kernels.lock")
	cmd.Flags().BoolVar(&s.offline, "offline", false, offlineUsage)
}

// options returns the options of a bench that all commands share.
func (s *selection) options(sink progress.Sink) workbench.Options {
	return workbench.Options{Dir: ".", Data: fixtures.FS(), Sink: sink, Locked: s.locked, Offline: s.offline, Supplied: s.supplied, Quarantined: true}
}

// cells loads the matrix and selects from it.
func (s *selection) cells() ([]matrix.Cell, error) {
	all, err := matrix.Load(fixtures.FS())
	if err != nil {
		return nil, err
	}
	if all, err = workbench.Bundled(all); err != nil {
		return nil, err
	}
	return matrix.Select(all, s.Selection)
}
