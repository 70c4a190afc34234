package summary

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
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

// plain is the style with all columns.
var plain = Style{Language: language.English, Wide: true}

func draw(t *testing.T, r report.Report) string {
	t.Helper()
	return drawIn(t, plain, r)
}

func drawIn(t *testing.T, s Style, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheTableChangesOnPurpose(t *testing.T) {
	for name, s := range map[string]Style{"wide.txt": plain, "narrow.txt": {}, "narrow.zh.txt": {Language: language.Chinese}} {
		got, path := drawIn(t, s, written(t)), filepath.Join("testdata", name)
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
}

// TestTheNarrowTableFitsATerminal fails if a row of the table wraps, also if the words are
// Chinese, whose characters are two columns wide.
func TestTheNarrowTableFitsATerminal(t *testing.T) {
	const name, release = "mips64le-debian12-6.1-loongson3", "7.2.12+deb14-powerpc64le-64k"
	outcomes := []verdict.Outcome{{Cell: name, Claim: "MS-001", Level: verdict.Must, Status: verdict.Fail, Known: verdict.Known{Reason: "r", Link: "l"}}}
	for i := range 300 {
		outcomes = append(outcomes, verdict.Outcome{Cell: name, Claim: fmt.Sprint(i), Level: verdict.May, Status: verdict.Unsupported})
	}
	r := report.New(report.Header{Seconds: map[string]float64{name: 1234.5}}, "",
		[]report.CellReport{{Name: name, Kernel: report.Kernel{Release: release}}, {Name: "short"}}, nil, outcomes)
	for _, l := range []language.Language{language.English, language.Chinese} {
		for line := range strings.Lines(Style{Language: l}.narrow(r)) {
			if n := text.StringWidth(strings.TrimRight(line, "\n")); n > columns {
				t.Errorf("%s: %d columns: %s", l, n, line)
			}
		}
	}
}

func TestAReleaseLosesNoDigit(t *testing.T) {
	for release, want := range map[string]string{"6.1.176": "6.1.176", "6.1.0-50-amd64": "6.1.0…", "7.2.12+deb14-loong64": "7.2.12…", "averylongname": "averylo…"} {
		if got := shortened(release, 8); got != want {
			t.Errorf("%s: %s, want %s", release, got, want)
		}
	}
}

// TestColoursAreNotTheOnlySign fails if a reader without colours is told less, or if foreign
// text can colour anything.
func TestColoursAreNotTheOnlySign(t *testing.T) {
	r := written(t)
	r.Outcomes[1].Reason = "\x1b[32mCONFORMANT"
	r.Cells[0].Kernel.Release = "6.1 \x1b[31m"
	for _, l := range []language.Language{language.English, language.Chinese} {
		coloured := drawIn(t, Style{Language: l, Colour: true}, r)
		if without := drawIn(t, Style{Language: l}, r); text.StripEscape(coloured) != foreign.Lines(without) || strings.Count(coloured, "\x1b[3") < 4 {
			t.Errorf("%s: %q", l, coloured)
		}
		if strings.Contains(coloured, "\x1b[32mCONFORMANT") || strings.Contains(coloured, "6.1 \x1b") {
			t.Errorf("%s: %q", l, coloured)
		}
	}
}

// TestTheWordAgreesWithTheExitStatus fails if the last word and the exit status of a run
// contradict each other.
func TestTheWordAgreesWithTheExitStatus(t *testing.T) {
	must := func(s verdict.Status, k verdict.Known) report.Report {
		return report.New(report.Header{}, "", []report.CellReport{{Name: "a"}}, nil,
			[]verdict.Outcome{{Cell: "a", Claim: "MS-001", Level: verdict.Must, Status: s, Known: k}})
	}
	record := verdict.Known{Reason: "r", Link: "l"}
	for _, c := range []struct {
		r                report.Report
		strict           bool
		english, chinese string
	}{
		{must(verdict.Pass, verdict.Known{}), false, "\nCONFORMANT: ", "\n符合："},
		{must(verdict.Fail, verdict.Known{}), false, "\nNON-CONFORMANT: ", "\n不符合："},
		{must(verdict.Fail, record), false, "\nNON-CONFORMANT, AS KNOWN: ", "\n不符合，与已知一致："},
		{must(verdict.Fail, record), true, "\nNON-CONFORMANT: ", "\n不符合："},
		{must(verdict.NotRun, verdict.Known{}), false, "\nINCOMPLETE: ", "\n不完整："},
		{must(verdict.Error, verdict.Known{}), false, "\nERROR: ", "\n出错："},
	} {
		for l, want := range map[language.Language]string{language.English: c.english, language.Chinese: c.chinese} {
			if got := drawIn(t, Style{Language: l, Strict: c.strict}, c.r); !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriteErrorsAreReported(t *testing.T) {
	if err := plain.Write(fullDisk{}, written(t)); !errors.Is(err, io.ErrShortWrite) {
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
	shown := draw(t, r)
	if !strings.HasPrefix(shown, "DEFECT INJECTED: stack-eperm\n") || !strings.Contains(shown, "certifies nothing") ||
		!strings.Contains(shown, "The defect cannot show on c: a reason.") ||
		!strings.HasSuffix(shown, "This is the verdict on the injected defect stack-eperm, not on a kernel.\n") {
		t.Errorf("%s", shown)
	}
}

// TestAnEmulatorIsNotTakenForAKernel fails unless the table of a user-mode emulator
// begins with that, and names the emulator.
func TestAnEmulatorIsNotTakenForAKernel(t *testing.T) {
	h := report.Header{QEMU: []report.QEMU{{Arch: "arm64", Version: "7.2.22", Source: "PATH", Build: strings.Repeat("ab", 32), Command: "qemu-aarch64 -cpu max"}}}
	for target, want := range map[string]bool{"user": true, "native": false} {
		shown := draw(t, report.New(h, "", []report.CellReport{{Name: "a", Arch: "arm64", Target: target}}, nil, nil))
		for _, part := range []string{"USER-MODE EMULATOR: what", "arm64: version 7.2.22, from PATH, SHA-256 abababababab: qemu-aarch64 -cpu max"} {
			if strings.Contains(shown, part) != want {
				t.Errorf("%s: has %q: %t, want %t\n%s", target, part, !want, want, shown)
			}
		}
		if want && !strings.HasPrefix(shown, "USER-MODE EMULATOR") {
			t.Errorf("something else comes first:\n%s", shown)
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
	shown := draw(t, r)
	for _, want := range []string{"R  a kernel of sw64, as supplied      not run", "set SW64_KERNEL", "It is refused.", "wrong", "shown GR-111",
		"M  defects modelled on a real kernel", "GR-111 It ends with status 2.", "A file is there.", "It is not.", "INCOMPLETE:"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
}

// TestNobodyIsNamedAsTheMakerOfAKernel fails if a kernel that somebody supplied is shown as a
// vendor's product, or if a tier that was not run says anything of its maker.
func TestNobodyIsNamedAsTheMakerOfAKernel(t *testing.T) {
	const unknown = "who made it is not"
	for _, tier := range []report.Tier{{Tier: report.Real}, {Tier: report.Real, Missing: "set SW64_KERNEL"}, {Tier: report.Twin}} {
		r := report.New(report.Header{}, "", nil, nil, nil)
		r.Tiers = &report.Tiers{Arch: "sw64", Tiers: []report.Tier{tier}}
		if text, want := draw(t, r), tier.Tier == report.Real && tier.Missing == ""; strings.Contains(text, unknown) != want {
			t.Errorf("%+v: %t, want %t in\n%s", tier, !want, want, text)
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
	if err := plain.Write(&b, report.New(report.Header{}, "", []report.CellReport{{Name: "c"}}, nil, outcomes)); err != nil {
		t.Fatal(err)
	}
	if want := "c  clone3: CL-011 CL-012\n        the system has no clone3: it answers ENOSYS\n"; !strings.Contains(b.String(), want) || strings.Contains(b.String(), "more") {
		t.Errorf("no %q in\n%s", want, b.String())
	}
}

// TestAKnownFailureIsToldFromANewOne fails if a reader of the table takes what everybody knows
// for something new, or the other way round.
func TestAKnownFailureIsToldFromANewOne(t *testing.T) {
	record := verdict.Known{Reason: "a page is freed", Link: "docs/findings.md#a-page", Owner: "the kernel team", Until: "2027-12-31", FixedIn: "6.12"}
	over, stale := record, record
	over.Over, over.Place, stale.Place = "its last day was 2027-12-31", "known.yaml:8", "known.yaml:9"
	outcome := func(cell, id string, s verdict.Status, k verdict.Known) verdict.Outcome {
		return verdict.Outcome{Cell: cell, Suite: "s", Claim: id, Level: verdict.Must, Status: s, Reason: "4 kB", Known: k}
	}
	r := report.New(report.Header{}, "", []report.CellReport{{Name: "as-known"}, {Name: "more"}, {Name: "ended"}, {Name: "mended"}}, nil, []verdict.Outcome{
		outcome("as-known", "PR-107", verdict.Fail, record), outcome("as-known", "PR-108", verdict.Pass, verdict.Known{}),
		outcome("more", "PR-107", verdict.Fail, record), outcome("more", "PR-108", verdict.Fail, verdict.Known{}),
		outcome("ended", "PR-107", verdict.Fail, over), outcome("mended", "PR-107", verdict.Pass, stale),
	})
	shown := draw(t, r)
	for _, want := range []string{
		" as-known  non-conformant, as known ", " more      non-conformant           ", " ended     non-conformant           ", " mended    conformant ",
		"FAIL, AS KNOWN  as-known  PR-107 MUST", "    known: a page is freed (docs/findings.md#a-page, owner the kernel team, until 2027-12-31, fixed in 6.12)\n",
		"FAIL, AS KNOWN  more  PR-107", "FAIL  more  PR-108", "FAIL  ended  PR-107", "fixed in 6.12, over: its last day was 2027-12-31)",
		"STALE  mended  PR-107\n    PR-107 holds on mended, and known.yaml:9 says that it fails there: remove that line",
		"OVER  ended  PR-107\n    PR-107 still fails on ended, and the entry at known.yaml:8 does not count any more",
		"NON-CONFORMANT: 4 of 6 decided claims are MUSTs that do not hold.",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
}

// TestTheEndOfARunSaysItsStatusAndWhy fails if the verdict and the exit status of a run
// contradict each other without a word.
func TestTheEndOfARunSaysItsStatusAndWhy(t *testing.T) {
	record := verdict.Known{Reason: "r", Link: "l"}
	fails := verdict.Outcome{Cell: "a", Claim: "PR-107", Level: verdict.Must, Status: verdict.Fail, Known: record}
	another, stale := fails, fails
	another.Known, stale.Status = verdict.Known{}, verdict.Pass
	for name, c := range map[string]struct {
		outcomes       []verdict.Outcome
		normal, strict string
	}{
		"nothing is known": {[]verdict.Outcome{another}, "", ""},
		"as known": {[]verdict.Outcome{fails}, "The exit status is 0: everything is as expected, and the one MUST that does not hold is known. STRICT=1 or --strict makes it 1.\n",
			"The exit status is 1, because known failures count too (STRICT=1, --strict).\n"},
		"and another": {[]verdict.Outcome{fails, another}, "The exit status is 1: 1 of 2 decided claims are MUSTs that do not hold; 1 other is a known failure.\n",
			"The exit status is 1: 1 of 2 decided claims are MUSTs that do not hold; 1 other is a known failure.\n"},
		"stale": {[]verdict.Outcome{stale}, "The exit status is 1: a record of a known failure is stale.\n", "The exit status is 1: a record of a known failure is stale.\n"},
	} {
		r := report.New(report.Header{}, "", []report.CellReport{{Name: "a"}}, nil, c.outcomes)
		if got := plain.End(r); got != c.normal {
			t.Errorf("%s: %q, want %q", name, got, c.normal)
		}
		if got := (Style{Strict: true}).End(r); got != c.strict {
			t.Errorf("%s, strict: %q, want %q", name, got, c.strict)
		}
	}
}
