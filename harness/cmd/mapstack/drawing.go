package main

import (
	"io"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/language"
)

// drawing holds the flags that say how a report is drawn.
type drawing struct{ wide bool }

func (d *drawing) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&d.wide, "wide", false, "draw a column for each suite, and a table of systems, kernels and architectures; both are wider than 80 columns")
}

// style returns how a command draws a report.
func (d *drawing) style(cmd *cobra.Command, strict bool) summary.Style {
	return summary.Style{Language: tongue(cmd), Wide: d.wide, Strict: strict, Colour: coloured(os.Stdout, os.Getenv)}
}

// draw draws a report. What it colours goes to the terminal itself, because the writer of the
// command lets no colours through; the report's text is made harmless before.
func draw(cmd *cobra.Command, s summary.Style, r report.Report) error {
	var w io.Writer = cmd.OutOrStdout()
	if s.Colour {
		w = os.Stdout
	}
	return s.Write(w, r)
}

// coloured reports whether a file is a terminal whose user wants colours (no-color.org).
func coloured(file *os.File, getenv func(string) string) bool {
	_, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ) // fails for all but terminals
	return err == nil && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// tongue returns the language that the user of a command reads.
func tongue(cmd *cobra.Command) language.Language {
	if asked, err := cmd.Flags().GetString("lang"); err == nil && asked != "" {
		return language.Parse(asked)
	}
	return language.Of(os.Getenv)
}

// columns returns a table without lines. It aligns columns with Chinese characters too, which
// are two columns wide.
func columns() table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	return t
}
