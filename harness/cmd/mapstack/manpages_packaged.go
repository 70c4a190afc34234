//go:build manpages

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// forPackagers returns the command that writes the manual pages. Only make packages builds it.
func forPackagers() []*cobra.Command {
	return []*cobra.Command{{Use: "manpages FOLDER", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error { return manualPages(args[0]) }}}
}

// manualPages writes the pages of every command in both languages, as they lie below
// /usr/share/man. Their date is SOURCE_DATE_EPOCH, which cobra reads.
func manualPages(dir string) error {
	for folder, chinese := range map[string]bool{"man1": false, "zh_CN/man1": true} {
		cmd := root()
		if chinese {
			for _, c := range append(cmd.Commands(), cmd) {
				translate(c)
			}
		}
		cmd.DisableAutoGenTag = true // it would name the day of the build
		at := filepath.Join(dir, filepath.FromSlash(folder))
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		header := &doc.GenManHeader{Section: "1", Source: "mapstack " + version, Manual: "mapstack"}
		if err := doc.GenManTree(cmd, header, at); err != nil {
			return fmt.Errorf("write the manual pages below %s: %w", at, err)
		}
	}
	return nil
}
