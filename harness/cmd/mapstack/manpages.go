//go:build !manpages

package main

import "github.com/spf13/cobra"

// forPackagers returns no command. With the build tag manpages it returns the one that writes
// the manual pages, so that what writes them is no part of the program.
func forPackagers() []*cobra.Command { return nil }
