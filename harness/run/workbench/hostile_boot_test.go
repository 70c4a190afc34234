//go:build boot

package workbench

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/poc/wire"
)

// cell is the cell whose real kernel the hostile probes run on.
const cell = "amd64-debian12-6.1"

func open(t *testing.T) (*Bench, matrix.Cell) {
	t.Helper()
	cells, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := matrix.Select(cells, matrix.Selection{Cell: cell})
	if err != nil {
		t.Fatal(err)
	}
	bench, err := Open(t.Context(), Options{Dir: ".", Data: fixtures.FS(), Sink: func(e progress.Event) {
		if e.End && e.Stage != progress.Resolve {
			t.Logf("%s %s %s %v", e.Cell, e.Stage, e.What, e.Err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return bench, chosen[0]
}

// with calls use with a guest of the cell, and returns what went wrong.
func with(ctx context.Context, bench *Bench, c matrix.Cell, console io.Writer, use func(target.Agent) error) error {
	opened, err := bench.Engine().Open(ctx, bench.Bind(c)[0], console)
	if err != nil {
		return err
	}
	run, err := opened.With(ctx, console, use)
	return errors.Join(err, run.Err())
}

// hostile starts a guest of the cell, runs the hostile probe in each mode, and returns
// the transcripts and the console.
func hostile(t *testing.T, bench *Bench, c matrix.Cell, modes ...string) ([]wire.Transcript, *bytes.Buffer, error) {
	t.Helper()
	var got []wire.Transcript
	var console bytes.Buffer
	err := with(t.Context(), bench, c, &console, func(g target.Agent) error {
		for _, mode := range modes {
			tr, err := g.Run(t.Context(), "hostile", []string{mode})
			if err != nil {
				return err
			}
			got = append(got, tr)
		}
		return nil
	})
	return got, &console, err
}

func TestBootFloodedConsoleLosesNoObservation(t *testing.T) {
	bench, c := open(t)
	got, console, err := hostile(t, bench, c, "flood", "lie")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(console.Bytes(), []byte("flood ")); n < 200 {
		t.Errorf("the kernel wrote %d lines: that is no flood, and nothing was tried", n)
	}
	if n := len(got[0].Observations); n != 200 || !got[0].Exit.Clean() {
		t.Errorf("%d of 200 observations came through the flood, exit %+v", n, got[0].Exit)
	}
	for i, o := range got[0].Observations {
		if o.Values["n"] != strings.TrimPrefix(o.Step, "flood.") {
			t.Fatalf("observation %d is %+v", i, o)
		}
	}
	if len(got[1].Observations) != 2 {
		t.Errorf("after the flood the next probe gave %+v", got[1])
	}
}

func TestBootMisbehavingProbesHarmOnlyThemselves(t *testing.T) {
	bench, c := open(t)
	got, _, err := hostile(t, bench, c, "exit", "crash", "stray", "lie")
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Exit.Code != 3 || got[1].Exit.Code != 2 || !strings.Contains(got[1].Exit.Stderr, "on purpose") {
		t.Errorf("exit %+v, crash %+v", got[0].Exit, got[1].Exit)
	}
	if len(got[2].Observations) != 1 || !got[2].Exit.Clean() {
		t.Errorf("stray: %+v", got[2])
	}
	if got[3].Exit.Dropped != 3 || len(got[3].Observations) != 2 {
		t.Errorf("lie: %+v", got[3])
	}
}

func TestBootDyingKernelsAreTypedFailures(t *testing.T) {
	bench, c := open(t)
	for mode, want := range map[string]struct {
		kind failure.Kind
		text string
	}{
		"panic":  {failure.Panic, "sysrq triggered crash"},
		"reboot": {failure.Reboot, "run probe hostile reboot"},
	} {
		_, _, err := hostile(t, bench, c, mode)
		var f *failure.Failure
		if !errors.As(err, &f) || f.Kind != want.kind || !strings.Contains(f.Message, want.text) {
			t.Errorf("%s: got %v, want %s with %q", mode, err, want.kind, want.text)
		}
	}
}

func TestBootStoppedRunIsInterruptedAndLeavesNoQEMU(t *testing.T) {
	bench, c := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := with(ctx, bench, c, io.Discard, func(g target.Agent) error {
		cancel()
		_, err := g.Run(ctx, "hostile", []string{"hang"})
		return err
	})
	var f *failure.Failure
	if !errors.As(err, &f) || f.Kind != failure.Interrupted {
		t.Errorf("got %v, want interrupted", err)
	}
}
