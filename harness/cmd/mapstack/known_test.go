package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/summary"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/wire"
)

// TestTheRecordedMatrixEndsAsExpected fails if a recorded kernel fails a MUST that nobody
// listed, or if a listed one holds.
func TestTheRecordedMatrixEndsAsExpected(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "fixtures", "recorded")
	shown, err := execute(t, "verdict", folder)
	if err != nil {
		t.Errorf("%v\n%s", err, shown)
	}
	for _, want := range []string{
		" mips64le-debian12-6.1-malta      non-conformant* ", " mips64le-debian12-6.1-loongson3  non-conformant* ",
		"\nNON-CONFORMANT, AS KNOWN: ",
		"FAIL, AS KNOWN  mips64le-debian12-6.1-malta  PR-107 MUST:",
		"The exit status is 0: everything is as expected, and all 2 MUSTs that do not hold are known. STRICT=1 or --strict makes it 1.\n",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	shown, err = execute(t, "verdict", "--strict", folder)
	if code := exitError(0); !errors.As(err, &code) || code != verdict.ExitNonConformant || !strings.Contains(shown, "The exit status is 1, because known failures count too") {
		t.Errorf("strict: %v\n%s", err, shown)
	}
}

// malta returns the recorded evidence of Linux 6.1 on MIPS malta, which is known to fail.
func malta(t *testing.T) (evidence.Run, evidence.CellRun) {
	t.Helper()
	run, cells, err := evidence.LoadFS(fixtures.Recorded())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if c.Cell.Name == "mips64le-debian12-6.1-malta" {
			run.Cells = []matrix.Cell{c.Cell}
			return run, c
		}
	}
	t.Fatal("the cell is not recorded any more")
	return run, evidence.CellRun{}
}

// mended lets a transcript say what a kernel without the defect says.
func mended(t *testing.T, c evidence.CellRun) {
	t.Helper()
	tr := c.Transcripts["zeropage"]
	tr.Observations = append([]wire.Observation(nil), tr.Observations...)
	found := false
	for i, o := range tr.Observations {
		if o.Step == "mprotect" {
			found = true
			values := map[string]string{}
			for k, v := range o.Values {
				values[k] = v
			}
			values["Rss"] = "0 kB"
			tr.Observations[i].Values = values
		}
	}
	if !found {
		t.Fatal("the probe has no step mprotect any more")
	}
	c.Transcripts["zeropage"] = tr
}

// TestOnlyTheListAndTheMatrixExcuseAFailure judges what a real kernel did in other
// circumstances. It fails if a failure is excused where it must count.
func TestOnlyTheListAndTheMatrixExcuseAFailure(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*evidence.Run, *evidence.CellRun)
		exit   int
		says   string
	}{
		"as recorded": {func(*evidence.Run, *evidence.CellRun) {}, 0, "The exit status is 0"},
		"after its last day": {func(r *evidence.Run, _ *evidence.CellRun) { r.Started = time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC) }, 1,
			"PR-107 still fails on mips64le-debian12-6.1-malta, and the entry at fixtures/known-failures.yaml:"},
		"on a kernel with the cure": {func(_ *evidence.Run, c *evidence.CellRun) {
			g := *c.Guest
			g.Hello.Release = "6.12.95-5kc-malta"
			c.Guest = &g
		}, 1, "it counts before Linux 6.12 alone, and this is 6.12.95-5kc-malta"},
		"mended": {func(_ *evidence.Run, c *evidence.CellRun) { mended(t, *c) }, 1,
			"PR-107 holds on mips64le-debian12-6.1-malta, and fixtures/known-failures.yaml:"},
		"as a kernel that somebody gave": {func(r *evidence.Run, c *evidence.CellRun) {
			c.Cell.Kernel = matrix.Kernel{From: matrix.Given}
			r.Cells[0] = c.Cell
		}, 1, ""},
		"as a system that runs": {func(r *evidence.Run, c *evidence.CellRun) {
			c.Cell.Host = matrix.FullBoot
			r.Cells[0] = c.Cell
		}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			run, cell := malta(t)
			before, err := judge(run, []evidence.CellRun{cell})
			if err != nil {
				t.Fatal(err)
			}
			c.change(&run, &cell)
			r, err := judge(run, []evidence.CellRun{cell})
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			if err := (summary.Style{Wide: true}).Write(&b, r); err != nil {
				t.Fatal(err)
			}
			shown := b.String() + end(summary.Style{}, r)
			if code := r.ExitCode(false); code != c.exit || !strings.Contains(shown, c.says) {
				t.Errorf("exit status %d, want %d and %q:\n%s", code, c.exit, c.says, shown)
			}
			if c.says == "" && (r.End != nil || strings.Contains(shown, "known-failures")) {
				t.Errorf("a list that is not about this kernel is named:\n%s", shown)
			}
			if before.Verdict.Verdict != verdict.NonConformant {
				t.Errorf("the verdict on the cell is %s", before.Verdict.Verdict)
			}
		})
	}
}

// TestAVerdictAgreesOnWhatIsKnown fails if the report of a run is refused by the command that
// checks it, or if JUnit says otherwise.
func TestAVerdictAgreesOnWhatIsKnown(t *testing.T) {
	run, cell := malta(t)
	folder, err := evidence.Create(t.TempDir(), run.Started)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(folder.WriteRun(run), folder.WriteCell(cell)); err != nil {
		t.Fatal(err)
	}
	r, err := judge(run, []evidence.CellRun{cell})
	if err != nil {
		t.Fatal(err)
	}
	for _, strict := range []bool{true, false} {
		if err := writeReports(folder.Path(), folder.Path(), r, []evidence.CellRun{cell}, strict); err != nil {
			t.Fatal(err)
		}
		if _, err := execute(t, "verdict", folder.Path()); err != nil {
			t.Errorf("strict %t: %v", strict, err)
		}
	}
}
