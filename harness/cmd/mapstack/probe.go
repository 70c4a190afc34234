package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/poc/wire"
)

// probeFlags holds the flags of `mapstack probe`.
type probeFlags struct {
	selection
	console string
	running subject.Running
}

func probeCommand() *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use: "probe CELL PROBE [ARGS...]", Short: "Run one probe in one cell and print what it observed",
		Long:    probeLong,
		Example: "  mapstack probe mips64le-debian12-6.1-malta mapstack\n  mapstack probe amd64-debian12-6.1 hostile panic\n  mapstack probe --target ssh://root@board facts",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, args, err := f.subject(cmd, args)
			if err != nil {
				return err
			}
			// The guest image says which it has, but compiling one takes minutes.
			if names := probeNames(); !slices.Contains(names, args[0]) {
				return fmt.Errorf("unknown probe %q; the probes are %s", args[0], strings.Join(names, ", "))
			}
			t, err := f.observe(cmd.Context(), asked, args[0], args[1:])
			if err != nil {
				return err
			}
			return printTranscript(cmd.OutOrStdout(), t)
		},
	}
	cmd.Flags().SetInterspersed(false) // arguments after the probe's name belong to the probe
	cmd.Flags().BoolVar(&f.locked, "locked", false, "accept no kernel but the one in fixtures/kernels.lock")
	cmd.Flags().BoolVar(&f.offline, "offline", false, offlineUsage)
	f.talk.flags(cmd)
	f.matrixFlag(cmd)
	cmd.Flags().StringVar(&f.running.Target, "target", "", "run the probe in a system that runs already: native (this one), ssh://user@host[:port], or user (a user-mode emulator of --arch)")
	cmd.Flags().StringVar(&f.running.Arch, "arch", "", "the architecture that --target user emulates")
	cmd.Flags().BoolVar(&f.running.Destructive, "destructive", false, "also run a probe that can disrupt other users of the target")
	cmd.Flags().StringVar(&f.console, "console", os.DevNull, "file for the guest's console log")
	cmd.MarkFlagsMutuallyExclusive("matrix", "target")
	return cmd
}

// subject returns what to run the probe in, and the arguments from the probe's name on.
func (f *probeFlags) subject(cmd *cobra.Command, args []string) (subject.Subject, []string, error) {
	if f.running.Target != "" {
		return f.running, args, f.running.Check()
	}
	if f.running.Arch != "" {
		return nil, nil, errors.New("--arch is about --target user; a cell has its own architecture")
	}
	if len(args) < 2 {
		return nil, nil, errors.New("probe needs a cell and a probe; `mapstack list` shows the cells")
	}
	f.Cell = args[0]
	c, err := f.chosen()
	if err != nil {
		return nil, nil, err
	}
	if len(c.subjects) != 1 {
		return nil, nil, fmt.Errorf("%q selects %d cells; name exactly one", args[0], len(c.subjects))
	}
	asked := c.subjects[0]
	l, listed := asked.(subject.Listed)
	if listed {
		c.announce(cmd)
	}
	switch {
	case listed && l.Alone():
		l.Destructive = l.Destructive || f.running.Destructive
		asked = l
	case f.running.Destructive:
		return nil, nil, errors.New("--destructive is about a system that others use; a cell has a guest that nobody else uses")
	}
	return asked, args[1:], nil
}

// observe runs the probe and returns its transcript.
func (f *probeFlags) observe(ctx context.Context, asked subject.Subject, probe string, args []string) (t wire.Transcript, failed error) {
	d := f.talk.display()
	defer d.Close()
	bench, err := workbench.Open(ctx, f.options(d.Sink))
	if err != nil {
		return t, err
	}
	bound, err := asked.Bind(ctx, bench)
	if err != nil {
		return t, err
	}
	defer func() { failed = errors.Join(failed, bound.Unchanged(ctx), bound.Release()) }()
	var images run.Images = bench.Guests
	switch where := bound.Where.(type) {
	case run.Absent:
		return t, where.Err
	case run.Guests:
		if where.Images != nil {
			images = where.Images
		}
	}
	if err := known(ctx, images, bound.Cell.Arch, probe); err != nil {
		return t, err
	}
	console, err := os.Create(f.console)
	if err != nil {
		return t, fmt.Errorf("write the console log: %w; give another file with --console", err)
	}
	defer console.Close()
	opened, err := bench.Engine().Open(ctx, bound.Bound, console)
	if err != nil {
		return t, err
	}
	ran, err := opened.With(ctx, console, func(g target.Agent) error {
		t, err = g.Run(ctx, probe, args)
		return err
	})
	return t, errors.Join(err, ran.Err())
}

// printTranscript prints the observations, one on each line, and how the probe ended.
func printTranscript(w io.Writer, t wire.Transcript) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, o := range t.Observations {
		if err := out.Encode(o); err != nil {
			return err
		}
	}
	if err := out.Encode(map[string]wire.Exit{"exit": t.Exit}); err != nil {
		return err
	}
	if !t.Exit.Clean() {
		return exitError(verdict.ExitIncomplete)
	}
	return nil
}

// known refuses a probe that the guest image does not have, before the guest is booted.
func known(ctx context.Context, images run.Images, goarch, probe string) error {
	rec, err := arch.Lookup(goarch)
	if err != nil {
		return err
	}
	image, err := images.Image(ctx, rec)
	if err != nil {
		return err
	}
	if !slices.Contains(image.Probes, probe) {
		return fmt.Errorf("unknown probe %q; on %s the probes are %s", probe, goarch, strings.Join(image.Probes, ", "))
	}
	return nil
}

// probeLong is the help of probe.
const probeLong = "probe boots a cell, also one of a matrix file, and runs one probe in it. It prints the observations to standard\n" +
	"output, one JSON object on each line, and then how the probe ended. It judges nothing. With --target the probe\n" +
	"runs there, and CELL is left out. The exit status is 2 if the probe did not end well. The probe `hostile`\n" +
	"misbehaves on purpose, to show how the harness reacts."
