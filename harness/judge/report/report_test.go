package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares the report with the one that package summary draws in its tests.
func golden(t *testing.T, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "report.json")
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
		t.Errorf("%s differs; run with -update if that is meant:\n%s", path, d)
	}
}

// parts returns the parts of a report with one cell of each kind. shuffle puts them in
// another order, as maps and goroutines would.
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
		{Cell: "amd64-bad", Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: verdict.Fail, Reason: "step map: its errno", Expected: "0", Observed: "1", Expectations: 3,
			Where: verdict.Where{Path: "cells/amd64-bad/transcripts/mapstack.json", Step: "map", Read: []string{"facts", "map"}}, Probe: "mapstack"},
		{Cell: "amd64-bad", Suite: "clone", Claim: "CL-001", Level: verdict.Should, Status: verdict.Fail, Deviation: verdict.Deviation{Reason: "back-ported", Source: "the vendor's log"}},
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

func render(t *testing.T, r Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestTheResultIsALeaf fails if reading a report needs anything beside the standard
// library and the verdict.
func TestTheResultIsALeaf(t *testing.T) {
	const judge = "github.com/mapstack/conformance/harness/judge/"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{judge + "verdict", judge + "report"}, strings.Fields(string(out))); d != "" {
		t.Error(d)
	}
}

func TestReportDoesNotDependOnTheOrderOfItsParts(t *testing.T) {
	want := render(t, newReport(false))
	golden(t, want)
	for range 20 {
		if !bytes.Equal(render(t, newReport(true)), want) {
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
	if !bytes.Equal(render(t, first), render(t, second)) {
		t.Error("a time outside the header makes two equal results differ")
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
	text := render(t, want)
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
	if err := newReport(false).WriteJSON(fullDisk{}); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

// TestAFocusedRunDoesNotPassForAWholeOne fails if a vendor could present the verdict
// on a few claims as the verdict on all of them.
func TestAFocusedRunDoesNotPassForAWholeOne(t *testing.T) {
	h, cells, claims, outcomes := parts(false)
	if text := render(t, New(h, "clone", cells, claims, outcomes)); !bytes.Contains(text, []byte(`"focus": "clone"`)) {
		t.Errorf("the focus is missing:\n%s", text)
	}
}
