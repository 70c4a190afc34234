package assemble

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/article"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/wire"
)

// whole is a cell whose evidence has everything that a report shows.
func whole() evidence.CellRun {
	return evidence.CellRun{
		Cell: matrix.Cell{Name: "c", Arch: "sw64", For: "sw64", Tier: matrix.Real, OS: "an OS", PageSize: 8192, CPUs: 3, Memory: 512},
		Kernel: &evidence.Kernel{Format: "elf", Release: "6.6", ConfigSHA256: "cc", ImageSHA256: "ii",
			Provenance: evidence.Provenance{Kind: "debian", Suite: "sid", Package: "linux-image", Version: "6.6-1", Filename: "f.deb", SHA256: "ff", Size: 7,
				Chain: []string{"f.iso"}, Entries: []string{"first"}, Compiler: "gcc", Warning: "old",
				Policy: []evidence.PolicyLine{{Name: "vm.max_map_count", Value: "1", Source: "a.conf:1"}, {Name: "SELINUX", Value: "x", Source: "b:2", Left: "no policy"}}}},
		QEMU: &evidence.QEMU{Version: "10", Source: "PATH", Build: "bb", Command: "qemu-x", Accelerator: "tcg", Machine: "m",
			Params: []arch.Param{{Value: "quiet", Reason: "less to read"}}},
		Guest: &evidence.Guest{Image: "key", Go: "go1.26", BootReason: "asked for",
			Hello: wire.Hello{Release: "6.6.1", Notes: []string{"mount x: no", "set sysctl vm.max_map_count: invalid argument"}}},
		Runs:    map[string]evidence.ProbeRun{"p": {Guest: evidence.Booted, Failure: &failure.Failure{Kind: failure.Panic, Message: "it died"}}, "facts": {Guest: evidence.Booted, Seconds: 2}},
		Seconds: 1.5,
	}
}

// TestNothingThatAReportShowsIsLost fails if a field of the evidence does not reach
// the report.
func TestNothingThatAReportShowsIsLost(t *testing.T) {
	begun := time.Unix(1e9, 0).UTC()
	c := whole()
	in := Inputs{
		Tool: report.Tool{Version: "1", Go: "go1.26", Revision: "of the judging tool", Standalone: true},
		Run: evidence.Run{Revision: "of the running tool", Focus: "MS-001", Cells: []matrix.Cell{c.Cell}, Warnings: []string{"a warning"},
			Host: evidence.Host{Arch: "amd64", Cores: 2, MemoryMiB: 3, PageSize: 4}, Started: begun, Finished: begun.Add(time.Minute)},
		Cells:    []evidence.CellRun{c},
		Claims:   []report.Claim{{ID: "MS-001", Suite: "mapstack"}},
		Outcomes: []verdict.Outcome{{Cell: "c", Suite: "mapstack", Claim: "MS-001", Level: verdict.Must, Status: verdict.Pass}},
		Article:  article.Article{Arch: "sw64", Assertions: []article.Assertion{{ID: "A", RefutedBy: []string{"MS-001"}}}},
	}
	want := report.New(report.Header{
		Tool:    report.Tool{Version: "1", Go: "go1.26", Revision: "of the running tool", Standalone: true},
		Started: begun, Finished: begun.Add(time.Minute),
		Host:    report.Host{Arch: "amd64", Cores: 2, MemoryMiB: 3, PageSize: 4},
		QEMU:    []report.QEMU{{Arch: "sw64", Version: "10", Source: "PATH", Build: "bb", Command: "qemu-x"}},
		Seconds: map[string]float64{"c": 1.5}, ProbeSeconds: map[string]map[string]float64{"c": {"facts": 2}},
		Warnings: []string{"a warning", report.UnknownMaker("sw64")},
	}, "MS-001", []report.CellReport{{
		Name: "c", Arch: "sw64", Tier: "real", OS: "an OS", PageSize: 8192, CPUs: 3, MemoryMiB: 512, Machine: "m", Accelerator: "tcg", QEMU: "bb",
		Kernel: report.Kernel{Release: "6.6.1", Format: "elf", ImageSHA256: "ii", ConfigSHA256: "cc",
			Provenance: report.Provenance{Kind: "debian", Suite: "sid", Package: "linux-image", Version: "6.6-1", Filename: "f.deb", SHA256: "ff", Size: 7,
				Chain: []string{"f.iso"}, Entries: []string{"first"}, Compiler: "gcc", Warning: "old",
				Policy: []report.PolicyLine{{Name: "vm.max_map_count", Value: "1", Source: "a.conf:1", Left: "the kernel refuses it: invalid argument"},
					{Name: "SELINUX", Value: "x", Source: "b:2", Left: "no policy"}}}},
		KernelParams: []report.Param{{Value: "quiet", Reason: "less to read"}},
		Guest:        &report.Guest{Image: "key", Go: "go1.26", Start: "booted", BootReason: "asked for"},
		Failure:      &report.Failure{Kind: "panic", Message: "it died"},
	}}, in.Claims, in.Outcomes)
	want.Tiers = in.Article.Judge(in.Run.Cells, in.Outcomes)
	got := Report(in)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got.Tiers == nil || got.Tiers.Assertions[0].Real != "wrong" {
		t.Errorf("tiers %+v", got.Tiers)
	}
}

// TestAnEmulatorCertifiesNothing fails if user-mode emulation ends as conformant,
// or accuses a kernel.
func TestAnEmulatorCertifiesNothing(t *testing.T) {
	for status, exit := range map[verdict.Status]int{verdict.Pass: verdict.ExitIncomplete, verdict.Fail: verdict.ExitIncomplete,
		verdict.NotRun: verdict.ExitIncomplete, verdict.Error: verdict.ExitInfrastructure} {
		run := evidence.Run{Warnings: make([]string, 0, 1)}
		r := Report(Inputs{Run: run, Cells: []evidence.CellRun{{Cell: matrix.Cell{Name: "c", Host: matrix.UserMode}}},
			Outcomes: []verdict.Outcome{{Cell: "c", Level: verdict.Must, Status: status}}})
		for _, d := range []verdict.Decision{r.Verdict, r.Cells[0].Verdict} {
			if d.Verdict != verdict.Incomplete || d.ExitCode != exit {
				t.Errorf("%s: %+v", status, d)
			}
		}
		if d := cmp.Diff([]string{report.UserModeNote}, r.Header.Warnings); d != "" || run.Warnings[:1][0] != "" {
			t.Errorf("warnings %s, and those of the evidence are %q", d, run.Warnings[:1])
		}
	}
}

// TestNobodyIsNamedAsTheMakerOfAKernel fails if a supplied kernel looks like a vendor's product in
// the report, or if one that did not answer, or Debian's, gets the warning.
func TestNobodyIsNamedAsTheMakerOfAKernel(t *testing.T) {
	answered := &evidence.Guest{}
	for name, c := range map[string]struct {
		cells []evidence.CellRun
		want  []string
	}{
		"supplied": {[]evidence.CellRun{{Cell: matrix.Cell{Name: "sw64", Arch: "sw64", Tier: matrix.Real}, Guest: answered}, {Cell: matrix.Cell{Name: "given", Arch: "sw64"}, Guest: answered}},
			[]string{"a kernel of sw64 was tested; who made it is not known"}},
		"silent":      {[]evidence.CellRun{{Cell: matrix.Cell{Name: "sw64", Arch: "sw64", Tier: matrix.Real}}}, nil},
		"an emulator": {[]evidence.CellRun{{Cell: matrix.Cell{Name: "user", Arch: "sw64", Host: matrix.UserMode}, Guest: answered}}, nil},
		"the twin":    {[]evidence.CellRun{{Cell: matrix.Cell{Name: "alpha-6.1", Arch: "alpha", Tier: matrix.Twin}, Guest: answered}}, nil},
	} {
		if got := unknownMakers(c.cells); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestADefectSaysWhereItCannotShow fails if a report with a defect does not name it,
// or lets a kernel that cannot have the defect count.
func TestADefectSaysWhereItCannotShow(t *testing.T) {
	marks := map[string]bool{"new": true, "old": false}
	target := func(c evidence.CellRun) (defect.Target, error) {
		if c.Cell.Name == "dead" {
			return defect.Target{}, errors.New("it said nothing")
		}
		return defect.Target{GOARCH: "amd64", MarksStacks: marks[c.Cell.Name]}, nil
	}
	var runs []evidence.CellRun
	for _, name := range []string{"new", "old", "dead"} {
		runs = append(runs, evidence.CellRun{Cell: matrix.Cell{Name: name, Arch: "amd64"}})
	}
	var model defect.Model // of which a kernel that marks no stack shows nothing
	for _, m := range defect.Models() {
		if m.Why(defect.Target{GOARCH: "amd64"}) != "" && m.Why(defect.Target{GOARCH: "amd64", MarksStacks: true}) == "" {
			model = m
		}
	}
	if model.Name == "" {
		t.Fatal("no model depends on what MAP_STACK does")
	}
	for name, want := range map[string]*report.Defect{
		"": nil,
		model.Name: {Name: model.Name, English: model.English, Chinese: model.Chinese,
			Unseen: []string{"on old: " + model.Why(defect.Target{GOARCH: "amd64"})}},
		"of another revision": {Name: "of another revision"},
	} {
		got := Report(Inputs{Run: evidence.Run{Defect: name}, Cells: runs, Target: target}).Defect
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("defect %q: %s", name, d)
		}
	}
}
