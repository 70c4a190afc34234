package export

import (
	"strings"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// hostile is a text that somebody else chose.
const hostile = "<script>alert(1)</script> | `x` ``` </pre></code></details>\n/close\n# Subtest: x\nnot ok 1 - x # TODO\n1..0\nBail out!\n" +
	"@all #1 ![i](javascript:x) [l](//evil.example) **b** \\| $x$ =cmd|x \x1b[8m\u202e\u2028\xff\x00"

// outcome is an outcome on cell a, of a claim of suite s that the probe p decides.
func outcome(claim string, status verdict.Status) verdict.Outcome {
	o := verdict.Outcome{Cell: "a", Suite: "s", Claim: claim, Level: verdict.Must, Status: status, Probe: "p", Where: verdict.Where{Path: "cells/a/transcripts/p.json", Step: "t"}}
	if status != verdict.Pass {
		o.Reason = "the subject\nof " + claim
	}
	if status == verdict.Fail {
		o.Expected, o.Observed = "rw-p", "r--p"
	}
	return o
}

// every returns an outcome of each kind.
func every() []verdict.Outcome {
	accepted, known, should, may, stale := outcome("S-006", verdict.Fail), outcome("S-007", verdict.Fail), outcome("S-008", verdict.Fail), outcome("S-009", verdict.Fail), outcome("S-010", verdict.Pass)
	accepted.Deviation = verdict.Deviation{Reason: "back-ported", Source: "changelog"}
	known.Known = verdict.Known{Reason: "a page is freed", Link: "findings"}
	should.Level, may.Level = verdict.Should, verdict.May
	stale.Known = verdict.Known{Reason: "r", Place: "known.yaml:9"}
	return []verdict.Outcome{outcome("S-001", verdict.Pass), outcome("S-002", verdict.Fail), outcome("S-003", verdict.Error), outcome("S-004", verdict.NotRun),
		outcome("S-005", verdict.Unsupported), accepted, known, should, may, stale}
}

// input returns a report of cell a, which is all that other is not.
func input(outcomes ...verdict.Outcome) Input {
	h := report.Header{Tool: report.Tool{Version: "0.1.0", Revision: "abc"}, Started: time.Unix(1e9, 0), Finished: time.Unix(1e9+60, 0), Evidence: "digest",
		Seconds: map[string]float64{"a": 9}, ProbeSeconds: map[string]map[string]float64{"a": {"p": 3}}, QEMU: []report.QEMU{{Arch: "amd64", Build: "b", Version: "10.0.2"}}}
	cell := report.CellReport{Name: "a", Arch: "amd64", OS: "Debian 12", Machine: "q35", QEMU: "b", Accelerator: "tcg", Guest: &report.Guest{},
		Kernel: report.Kernel{Release: "6.1.0-50-amd64", ImageSHA256: strings.Repeat("1", 64), ConfigSHA256: strings.Repeat("2", 64),
			Provenance: report.Provenance{Kind: "debian", Package: "linux-image-6.1", Version: "6.1.1-1", SHA256: strings.Repeat("3", 64)}}}
	var claims []report.Claim
	for _, o := range every() {
		claims = append(claims, report.Claim{ID: o.Claim, Suite: "s", Level: o.Level, English: "It holds.", Chinese: "它成立。", Source: "mmap(2)"})
	}
	return Input{Report: report.New(h, "", []report.CellReport{cell}, claims, outcomes), Cells: []evidence.CellRun{{Cell: matrix.Cell{Name: "a"}}}}
}

// whole returns a report in which every text that others choose is s.
func whole(s string) Input {
	in := input(every()...)
	in.Report.Focus = s
	h := &in.Report.Header
	h.Tool, h.Evidence, h.Warnings = report.Tool{Version: s, Revision: s}, s, []string{s}
	h.QEMU = []report.QEMU{{Arch: s, Build: "b", Version: s}}
	h.Retries = []report.Retry{{Cell: s, Probe: s, Kind: s, Reason: s}}
	h.Seconds, h.ProbeSeconds = map[string]float64{s: 1}, map[string]map[string]float64{s: {"p": 1}}
	c := &in.Report.Cells[0]
	c.Name, c.OS, c.Machine, c.Accelerator, c.Arch = s, s, s, s, s
	c.Failure = &report.Failure{Kind: s, Message: s}
	in.Report.Product = &report.Product{Organisation: s, Name: s, Version: s}
	c.Kernel.Release, c.Kernel.ImageSHA256, c.Kernel.Format = s, s, s
	c.Kernel.Provenance = report.Provenance{Kind: s, Package: s, Version: s, SHA256: s, Filename: s}
	for i := range in.Report.Outcomes {
		o := &in.Report.Outcomes[i]
		o.Cell, o.Where = s, verdict.Where{Path: s, Step: s}
		if o.Reason != "" {
			o.Reason = s + "\n" + s
		}
		if o.Expected != "" {
			o.Expected, o.Observed = s, s
		}
	}
	in.Cells[0].Cell.Name = s
	return in
}

// TestReportsNameTheProductAndItsMachine fails if a format keeps what was tested to itself.
func TestReportsNameTheProductAndItsMachine(t *testing.T) {
	in := input(every()...)
	in.Report.Product = &report.Product{Organisation: "Maker", Name: "Server", Version: "22.03"}
	c := &in.Report.Cells[0]
	c.Machine, c.Hardware = "", &report.Hardware{Product: "S1", Board: "B2", Firmware: "F 1.0"}
	for _, format := range []string{"markdown", "kcidb"} {
		text := written(t, format, in)
		for _, want := range []string{"Maker, Server 22.03", "S1, board B2, firmware F 1.0"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not name %q", format, want)
			}
		}
	}
}

// twoByTwo returns a report of two cells with two suites each.
func twoByTwo() Input {
	var all []verdict.Outcome
	for _, cell := range []string{"a", "b"} {
		for _, suite := range []string{"s", "t"} {
			for _, o := range every() {
				o.Cell, o.Suite = cell, suite
				if suite == "t" && o.Status != verdict.Unsupported {
					o.Status, o.Known = verdict.Pass, verdict.Known{}
				}
				all = append(all, o)
			}
		}
	}
	in := input(all...)
	b := in.Report.Cells[0]
	b.Name = "b"
	in.Report.Cells = append(in.Report.Cells, b)
	return in
}

// written returns the only file of a format.
func written(t *testing.T, format string, in Input) string {
	t.Helper()
	files, err := Write(format, in)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return string(files[0].Data)
}

// TestWhatIsNoKernelIsNotExportedAsOne fails if a format without a place for a warning shows
// what a defect or an emulator did.
func TestWhatIsNoKernelIsNotExportedAsOne(t *testing.T) {
	defective, emulated := input(every()...), input(every()...)
	defective.Report.Defect = &report.Defect{Name: "mapstack-readonly"}
	emulated.Report.Cells[0].Target = "user"
	for _, f := range formats() {
		for want, in := range map[string]Input{"mapstack-readonly": defective, "user-mode emulator": emulated} {
			files, err := Write(f.name, in)
			if f.certain && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %v, want %q", f.name, err, want)
			}
			if !f.certain && (err != nil || !strings.Contains(strings.ReplaceAll(string(files[0].Data), "User-m", "user-m"), want)) {
				t.Errorf("%s does not say %q: %v", f.name, want, err)
			}
		}
	}
	if _, err := Write("pdf", input()); err == nil || !strings.Contains(err.Error(), "markdown") {
		t.Error(err)
	}
}
