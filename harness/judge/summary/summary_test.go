package summary

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// written returns the report that package report writes in its tests. It has a cell
// of each kind.
func written(t *testing.T) (r report.Report) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "report", "testdata", "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func draw(t *testing.T, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheTableChangesOnPurpose(t *testing.T) {
	got, path := draw(t, written(t)), filepath.Join("testdata", "table.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs; run with -update if that is meant:\n%s", path, d)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriteErrorsAreReported(t *testing.T) {
	if err := Write(fullDisk{}, written(t)); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

// TestAFocusedRunDoesNotPassForAWholeOne fails if a vendor could present the verdict
// on a few claims as the verdict on all of them.
func TestAFocusedRunDoesNotPassForAWholeOne(t *testing.T) {
	r := written(t)
	r.Focus = "clone"
	if shown := draw(t, r); !strings.Contains(shown, "Only clone was asked for") {
		t.Errorf("the focus is missing:\n%s", shown)
	}
}

// TestAnInjectedDefectIsSaidFirstAndLast fails if the table of a run with an
// injected defect could be taken for a kernel's.
func TestAnInjectedDefectIsSaidFirstAndLast(t *testing.T) {
	outcomes := []verdict.Outcome{{Cell: "c", Suite: "s", Claim: "MS-001", Level: verdict.Must, Status: verdict.Pass}}
	r := report.New(report.Header{}, "", []report.CellReport{{Name: "c"}}, nil, outcomes)
	r.Defect = &report.Defect{Name: "stack-eperm", English: "mmap refuses.", Unseen: []string{"on c: a reason"}}
	text := draw(t, r)
	if !strings.HasPrefix(text, "DEFECT INJECTED: stack-eperm\n") || !strings.Contains(text, "certifies nothing") ||
		!strings.Contains(text, "The defect cannot show on c: a reason.") ||
		!strings.HasSuffix(text, "This is the verdict on the injected defect stack-eperm, not on a kernel.\n") {
		t.Errorf("%s", text)
	}
}

// TestAnEmulatorIsNotTakenForAKernel fails unless the table of a user-mode emulator
// begins with that, in both languages, and names the emulator.
func TestAnEmulatorIsNotTakenForAKernel(t *testing.T) {
	h := report.Header{QEMU: []report.QEMU{{Arch: "arm64", Version: "7.2.22", Source: "PATH", Build: strings.Repeat("ab", 32), Command: "qemu-aarch64 -cpu max"}}}
	for target, want := range map[string]bool{"user": true, "native": false} {
		text := draw(t, report.New(h, "", []report.CellReport{{Name: "a", Arch: "arm64", Target: target}}, nil, nil))
		for _, part := range []string{"USER-MODE EMULATOR: what", "不认证任何内核", "arm64: version 7.2.22, from PATH, SHA-256 abababababab: qemu-aarch64 -cpu max"} {
			if strings.Contains(text, part) != want {
				t.Errorf("%s: has %q: %t, want %t\n%s", target, part, !want, want, text)
			}
		}
		if want && !strings.HasPrefix(text, "USER-MODE EMULATOR") {
			t.Errorf("something else comes first:\n%s", text)
		}
	}
}

func TestTheTableSaysWhatIsMissingAndWhatEachTierSays(t *testing.T) {
	outcomes := []verdict.Outcome{
		{Cell: "board", Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: verdict.NotRun, Reason: "set SW64_KERNEL"},
		{Cell: "alpha", Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: verdict.Pass},
	}
	r := report.New(report.Header{}, "", []report.CellReport{{Name: "board", Tier: report.Real}, {Name: "alpha", Tier: report.Twin}},
		[]report.Claim{{ID: "MS-001", English: "Mapping works."}, {ID: "GR-111", English: "It ends with status 2."}}, outcomes)
	r.Tiers = &report.Tiers{Arch: "sw64",
		Tiers: []report.Tier{{Tier: report.Real, Cells: []string{"board"}, Verdict: r.Cells[1].Verdict, Missing: "set SW64_KERNEL"},
			{Tier: report.Twin, Cells: []string{"alpha"}, Verdict: r.Cells[0].Verdict}, {Tier: report.Model}},
		Assertions: []report.Assertion{
			{ID: "A1", English: "It is refused.", Claims: []string{"MS-001"}, Real: "not run", Twin: "wrong", Model: "shown", ModelClaims: []string{"GR-111"}},
			{ID: "A2", English: "A file is there.", Read: &report.Text{English: "It is not."}},
		}}
	text := draw(t, r)
	for _, want := range []string{"R  a real kernel of sw64              not run", "set SW64_KERNEL", "It is refused.", "wrong", "shown GR-111",
		"M  defects modelled on a real kernel", "GR-111 It ends with status 2.", "A file is there.", "It is not.", "INCOMPLETE"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestWhatASystemLacksIsCounted fails if "conformant" hides how much was not decided, and why.
func TestWhatASystemLacksIsCounted(t *testing.T) {
	lack := func(id string, status verdict.Status) verdict.Outcome {
		return verdict.Outcome{Cell: "c", Suite: "s", Claim: id, Level: verdict.Must, Status: status, Feature: "clone3", Reason: "the system has no clone3: it answers ENOSYS\nmore"}
	}
	outcomes := []verdict.Outcome{lack("CL-012", verdict.Unsupported), lack("CL-011", verdict.Unsupported),
		{Cell: "c", Suite: "s", Claim: "CL-001", Level: verdict.Must, Status: verdict.Pass}}
	var b strings.Builder
	if err := Write(&b, report.New(report.Header{}, "", []report.CellReport{{Name: "c"}}, nil, outcomes)); err != nil {
		t.Fatal(err)
	}
	if want := "c  clone3: CL-011 CL-012\n        the system has no clone3: it answers ENOSYS\n"; !strings.Contains(b.String(), want) || strings.Contains(b.String(), "more") {
		t.Errorf("no %q in\n%s", want, b.String())
	}
}
