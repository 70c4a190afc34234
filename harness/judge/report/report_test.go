package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s differs; run with -update if that is meant:\n%s", name, d)
	}
}

// parts is a run with one cell of each kind; shuffled when asked, as maps and
// goroutines would deliver it.
func parts(shuffle bool) (Header, []CellReport, []Claim, []verdict.Outcome) {
	h := Header{
		Tool:     Tool{Version: "v0.1.0", Revision: "0123abc", Go: "go1.26.8"},
		Started:  time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("CST", 8*3600)),
		Finished: time.Date(2026, 11, 22, 12, 5, 0, 0, time.FixedZone("CST", 8*3600)),
		Host:     Host{Arch: "amd64", Cores: 2, MemoryMiB: 3900, PageSize: 4096},
		QEMU: []QEMU{
			{Arch: "amd64", Version: "10.0.2", Source: "PATH", Build: "aa"},
			{Arch: "loong64", Version: "10.0.2", Source: "toolbox", Build: "bb"},
		},
		Seconds: map[string]float64{"amd64-good": 12.34, "amd64-bad": 9},
	}
	cells := []CellReport{
		{
			Name: "amd64-good", Arch: "amd64", OS: "Debian 12", Machine: "q35", PageSize: 4096, Accelerator: "tcg", QEMU: "aa",
			Kernel: Kernel{Release: "6.1.0-50-amd64", Format: "elf", ImageSHA256: "cc",
				Provenance: Provenance{Kind: "debian", Suite: "bookworm", Package: "linux-image-6.1.0-50-amd64", Version: "6.1.176-1", SHA256: "dd", Size: 1}},
			KernelParams: []Param{{"panic=-1", "a panic must end the guest"}},
			Guest:        &Guest{Image: "ee", Go: "go1.26.8"},
		},
		{Name: "amd64-bad", Arch: "amd64", Kernel: Kernel{Release: "6.1.0-51-amd64"}, Accelerator: "tcg"},
		{Name: "loong64-dead", Arch: "loong64", Failure: &Failure{Kind: "panic", Message: "Kernel panic - not syncing"}},
		{Name: "never-started", Arch: "s390x"},
	}
	claims := []Claim{
		{ID: "MS-001", Suite: "mapstack", Level: verdict.Must, English: "It is accepted.", Chinese: "它被接受。", Source: "mmap(2)"},
		{ID: "CL-001", Suite: "clone", Level: verdict.Should, English: "It clones.", Chinese: "它可以克隆。", Source: "clone(2)"},
	}
	outcomes := []verdict.Outcome{
		{Cell: "amd64-good", Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: verdict.Pass},
		{Cell: "amd64-good", Suite: "clone", Claim: "CL-001", Level: verdict.Should, Status: verdict.Unsupported, Reason: "no <clone3> here"},
		{Cell: "amd64-bad", Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: verdict.Fail, Reason: "Expected\n    0\nto equal\n    1"},
		{Cell: "amd64-bad", Suite: "clone", Claim: "CL-001", Level: verdict.Should, Status: verdict.Pass, Deviation: "back-ported"},
		{Cell: "loong64-dead", Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: verdict.NotRun, Reason: "Kernel panic - not syncing"},
		{Cell: "loong64-dead", Suite: "clone", Claim: "CL-001", Level: verdict.Should, Status: verdict.NotRun, Reason: "Kernel panic - not syncing"},
	}
	if shuffle {
		rand.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
		rand.Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
		rand.Shuffle(len(outcomes), func(i, j int) { outcomes[i], outcomes[j] = outcomes[j], outcomes[i] })
		rand.Shuffle(len(h.QEMU), func(i, j int) { h.QEMU[i], h.QEMU[j] = h.QEMU[j], h.QEMU[i] })
	}
	return h, cells, claims, outcomes
}

func newReport(shuffle bool) Report {
	h, cells, claims, outcomes := parts(shuffle)
	return New(h, "", cells, claims, outcomes)
}

func render(t *testing.T, r Report) (jsonText, tableText []byte) {
	t.Helper()
	var j, tab bytes.Buffer
	if err := errors.Join(r.WriteJSON(&j), r.WriteTable(&tab)); err != nil {
		t.Fatal(err)
	}
	return j.Bytes(), tab.Bytes()
}

func TestReportDoesNotDependOnTheOrderOfItsParts(t *testing.T) {
	wantJSON, wantTable := render(t, newReport(false))
	golden(t, "report.json", wantJSON)
	golden(t, "table.txt", wantTable)
	for range 20 {
		gotJSON, gotTable := render(t, newReport(true))
		if !bytes.Equal(gotJSON, wantJSON) || !bytes.Equal(gotTable, wantTable) {
			t.Fatal("the same run in another order gives another report")
		}
	}
}

func TestTimesStayInTheHeader(t *testing.T) {
	h, cells, claims, outcomes := parts(false)
	first := New(h, "", cells, claims, outcomes)
	h.Started, h.Finished, h.Seconds = h.Started.Add(time.Hour), h.Finished.Add(time.Hour), nil
	second := New(h, "", cells, claims, outcomes)
	first.Header, second.Header = Header{}, Header{}
	a, _ := render(t, first)
	b, _ := render(t, second)
	if !bytes.Equal(a, b) {
		t.Error("a time outside the header makes two equal results differ")
	}
}

// TestAFocusedRunDoesNotPassForAWholeOne fails if a vendor could show the verdict of
// a few claims as that of all.
func TestAFocusedRunDoesNotPassForAWholeOne(t *testing.T) {
	h, cells, claims, outcomes := parts(false)
	text, shown := render(t, New(h, "clone", cells, claims, outcomes))
	if !bytes.Contains(text, []byte(`"focus": "clone"`)) || !bytes.Contains(shown, []byte("Only clone was asked for")) {
		t.Errorf("the focus is not said in\n%s", shown)
	}
}

func TestCellWithoutOutcomesIsNotConformant(t *testing.T) {
	r := newReport(false)
	for _, c := range r.Cells {
		if c.Name == "never-started" && c.Verdict.Verdict != verdict.Incomplete {
			t.Errorf("verdict %s", c.Verdict.Verdict)
		}
	}
}

func TestNewLeavesItsArgumentsAlone(t *testing.T) {
	h, cells, claims, outcomes := parts(false)
	New(h, "", cells, claims, outcomes)
	h2, cells2, claims2, outcomes2 := parts(false)
	if d := cmp.Diff([]any{h, cells, claims, outcomes}, []any{h2, cells2, claims2, outcomes2}); d != "" {
		t.Error(d)
	}
}

func TestReportReadsBack(t *testing.T) {
	want := newReport(false)
	text, _ := render(t, want)
	var got Report
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(text), "no <clone3> here") {
		t.Error("reasons are escaped beyond reading")
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriteErrorsAreReported(t *testing.T) {
	r := newReport(false)
	if err := r.WriteJSON(fullDisk{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("JSON: %v", err)
	}
	if err := r.WriteTable(fullDisk{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("table: %v", err)
	}
}

// TestAnInjectedDefectIsSaidFirstAndLast fails if the table of a run with an
// injected defect could be taken for a kernel's.
func TestAnInjectedDefectIsSaidFirstAndLast(t *testing.T) {
	outcomes := []verdict.Outcome{{Cell: "c", Suite: "s", Claim: "MS-001", Level: verdict.Must, Status: verdict.Pass}}
	r := New(Header{}, "", []CellReport{{Name: "c"}}, nil, outcomes)
	r.Defect = &Defect{Name: "stack-eperm", English: "mmap refuses.", Unseen: []string{"on c: a reason"}}
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if !strings.HasPrefix(text, "DEFECT INJECTED: stack-eperm\n") || !strings.Contains(text, "certifies nothing") ||
		!strings.Contains(text, "The defect cannot show on c: a reason.") ||
		!strings.HasSuffix(text, "This is the verdict on the injected defect stack-eperm, not on a kernel.\n") {
		t.Errorf("%s", text)
	}
}

// TestAnEmulatorIsNotTakenForAKernel fails if a report of a user-mode emulator does not
// say so first, in both languages, with the emulator that it is about.
func TestAnEmulatorIsNotTakenForAKernel(t *testing.T) {
	h := Header{QEMU: []QEMU{{Arch: "arm64", Version: "7.2.22", Source: "PATH", Build: strings.Repeat("ab", 32), Command: "qemu-aarch64 -cpu max"}}}
	for target, want := range map[string]bool{"user": true, "native": false} {
		var b strings.Builder
		if err := New(h, "", []CellReport{{Name: "a", Arch: "arm64", Target: target}}, nil, nil).WriteTable(&b); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"USER-MODE EMULATOR: what", "不认证任何内核", "arm64: version 7.2.22, from PATH, SHA-256 abababababab: qemu-aarch64 -cpu max"} {
			if strings.Contains(b.String(), part) != want {
				t.Errorf("%s: %q is to be there: %t\n%s", target, part, want, b.String())
			}
		}
		if want && !strings.HasPrefix(b.String(), "USER-MODE EMULATOR") {
			t.Errorf("it is not said first:\n%s", b.String())
		}
	}
}
