package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/matrix/matrixfile"
)

func initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init", Short: "Write a commented " + matrixfile.Name + ", to list cells of your own in", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l := tongue(cmd)
			file, err := os.OpenFile(matrixfile.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s is here already and is left as it is; remove it first, or call init in another folder", matrixfile.Name)
			}
			if err != nil {
				return fmt.Errorf("write %s: %w", matrixfile.Name, err)
			}
			_, err = file.WriteString(matrixfile.Example(l))
			if err := errors.Join(err, file.Close()); err != nil {
				return fmt.Errorf("write %s: %w", matrixfile.Name, err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), l.Pick("Wrote %s. Change it, then see its cells with mapstack list, and run them with mapstack run.\n",
				"已写出 %s。请修改它，然后用 mapstack list 查看其中的单元，用 mapstack run 运行。\n"), matrixfile.Name)
			return err
		},
	}
}
