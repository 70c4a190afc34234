package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/diagnose"
	"github.com/mapstack/conformance/harness/diagnose/aftermath"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// afterwards holds the flags of `mapstack diagnose` for programs that have ended.
type afterwards struct {
	from      string
	facts     bool
	hostFacts string
}

func (a *afterwards) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.from, "from", "", "read the log of a program that has ended, - for standard input, and name the likely causes")
	cmd.Flags().BoolVar(&a.facts, "facts", false, "write what this host shows of its limits as JSON, for --host-facts")
	cmd.Flags().StringVar(&a.hostFacts, "host-facts", "", "with --from: weigh the causes by this file from the program's host")
}

// asked reports whether a program that has ended is meant.
func (a afterwards) asked() bool { return a.from != "" || a.facts }

// writeFacts writes the facts of this host.
func (a afterwards) writeFacts(to io.Writer) error { return here().Write(to) }

func here() aftermath.Facts { return aftermath.Here(os.DirFS("/"), diagnose.KernelLog(), time.Now()) }

// judge reads the log and writes the report.
func (a afterwards) judge(in io.Reader, to io.Writer, language language.Language, asJSON bool) error {
	facts, err := a.known()
	if err != nil {
		return err
	}
	if a.from != "-" {
		file, err := os.Open(a.from)
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		defer file.Close()
		in = file
	}
	log, err := aftermath.Read(in, facts.Table())
	if err != nil {
		return err
	}
	r := aftermath.Judge(log, &facts)
	if err := r.Write(to, language, asJSON); err != nil {
		return err
	}
	if r.Verdict == "unknown" {
		return exitError(verdict.ExitIncomplete)
	}
	return exitError(exitRefused)
}

// known returns the facts of the program's host.
func (a afterwards) known() (aftermath.Facts, error) {
	if a.hostFacts == "" {
		return here(), nil
	}
	file, err := os.Open(a.hostFacts)
	if err != nil {
		return aftermath.Facts{}, fmt.Errorf("read the facts of a host: %w", err)
	}
	defer file.Close()
	return aftermath.Parse(file)
}
