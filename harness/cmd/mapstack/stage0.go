package main

import (
	"encoding/json"
	"fmt"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/guest/account"
	"github.com/mapstack/conformance/harness/guest/assembler"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/abi"
)

func stage0Command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "stage0", Short: "Make the program that asks a kernel for its ABI without any runtime, or read its output",
		Long: stage0Long,
	}
	cmd.AddCommand(stage0MakeCommand(), stage0ReadCommand())
	return cmd
}

func stage0MakeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "make ARCH FILE", Short: "Write the program of an architecture to a file", Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			program, err := assembler.Program(goarchOf(args[0]))
			if err != nil {
				return err
			}
			if err := renameio.WriteFile(args[1], program, 0o755); err != nil {
				return fmt.Errorf("write stage 0: %w", err)
			}
			return nil
		},
	}
}

func stage0ReadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "read ARCH", Short: "Read the program's output from standard input, and print its observations as JSON",
		Long: stage0ReadLong,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			goarch := goarchOf(args[0])
			table, ok := abi.Lookup(goarch)
			if !ok {
				return fmt.Errorf("read stage 0 of %q: poc/abi has no table for that architecture", goarch)
			}
			heard, err := account.Read(cmd.InOrStdin())
			if err != nil {
				return err
			}
			t, _ := heard.Transcript(table)
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetEscapeHTML(false)
			out.SetIndent("", "  ")
			if err := out.Encode(t); err != nil {
				return err
			}
			findings := account.Diagnose(t, table)
			for _, finding := range findings {
				fmt.Fprintln(cmd.ErrOrStderr(), finding)
			}
			switch {
			case len(findings) > 0:
				return exitError(verdict.ExitNonConformant)
			case !t.Exit.Clean() || t.Exit.Dropped > 0:
				return exitError(verdict.ExitIncomplete)
			}
			return nil
		},
	}
}

// goarchOf returns an architecture's GOARCH by any of its names. A name that
// harness/matrix/arch does not know stays as it is: it may still have a table and encodings.
func goarchOf(name string) string {
	if rec, err := arch.Lookup(name); err == nil {
		return rec.GOARCH
	}
	return name
}

// stage0Long is the help of stage0.
const stage0Long = "stage0 make writes a static program that asks a kernel for its ABI. It needs no toolchain and no runtime. Run\n" +
	"it on a board, or under an emulator such as \"qemu-sw64 -cpu core3 stage0.sw64\", and give its output to\n" +
	"stage0 read. Every guest of a run starts with it anyway."

// stage0ReadLong is the help of stage0 read.
const stage0ReadLong = "read finds the program's records in a console log, or in its own output, and prints the transcript. It says on\n" +
	"standard error how the ABI that answered differs from the architecture's. Exit status: 0 if it does not differ,\n" +
	"1 if it does, 2 if the transcript is incomplete."
