// Package assemble makes the report of a run from its evidence and the outcomes
// that were judged on it. It boots nothing and judges nothing.
package assemble

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/article"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/poc/defect"
)

// Inputs is all that a report is made of.
type Inputs struct {
	// Tool is the program that makes the report. Its Revision is taken from Run: it
	// is the revision that observed the kernels.
	Tool     report.Tool
	Run      evidence.Run
	Cells    []evidence.CellRun
	Claims   []report.Claim    // every claim, also those outside the focus
	Outcomes []verdict.Outcome // of the claims on Cells
	Article  article.Article
	// Known are the known failures of the matrix that the cells are from. Without them, and
	// with a defect, every failure counts.
	Known matrix.KnownFailures
	// Target returns what decides whether a defect has an effect on a cell. It is
	// called only when Run names a defect, and must not be nil then.
	Target func(evidence.CellRun) (defect.Target, error)
}

// Report makes the report of a run.
func Report(in Inputs) report.Report {
	in.Outcomes = Known(in.Outcomes, in.Known, in.Run, in.Cells)
	r := report.New(header(in.Tool, in.Run, in.Cells), in.Run.Focus, described(in.Run.Matrix, in.Cells), in.Claims, in.Outcomes)
	if r.Emulated() {
		r.Verdict = uncertified(r.Verdict)
		for i := range r.Cells {
			r.Cells[i].Verdict = uncertified(r.Cells[i].Verdict)
		}
		r.Header.Warnings = append(r.Header.Warnings, report.UserModeNote)
	}
	r.Header.Warnings = append(r.Header.Warnings, unknownMakers(in.Cells)...)
	if s := in.Run.Shard; s != nil {
		r.Header.Warnings = append(r.Header.Warnings, report.PartOfARun(s.String(), len(in.Run.Cells), len(s.Cells)))
	}
	r.Defect = in.injected()
	if p := in.Run.Product; p != nil {
		r.Product = (*report.Product)(p)
	}
	r.Tiers = in.Article.Judge(in.Run.Cells, in.Outcomes)
	return r
}

// unknownMakers returns a warning for each architecture whose kernels only their owners have, if
// a kernel of it answered.
func unknownMakers(cells []evidence.CellRun) (warnings []string) {
	for _, c := range cells {
		rec, err := arch.Lookup(c.Cell.Arch)
		if err != nil || !rec.Supplied || c.Guest == nil || c.Cell.Host == matrix.UserMode {
			continue
		}
		if w := report.UnknownMaker(rec.GOARCH); !slices.Contains(warnings, w) {
			warnings = append(warnings, w)
		}
	}
	return warnings
}

// header describes the run as a whole.
func header(tool report.Tool, run evidence.Run, cells []evidence.CellRun) report.Header {
	tool.Revision = run.Revision
	h := report.Header{
		Tool:    tool,
		Started: run.Started, Finished: run.Finished,
		Host:    report.Host(run.Host),
		Seconds: map[string]float64{}, ProbeSeconds: map[string]map[string]float64{},
		Warnings: append([]string(nil), run.Warnings...),
	}
	for _, f := range run.Asked {
		h.Flags = append(h.Flags, report.Flag(f))
	}
	seen := map[string]bool{}
	for _, c := range cells {
		h.Retries = append(h.Retries, retries(c)...)
		if s := probeSeconds(c); len(s) > 0 {
			h.ProbeSeconds[c.Cell.Name] = s
		}
		if c.Guest != nil {
			h.Seconds[c.Cell.Name] = c.Seconds
		}
		// The shards of a run may have had emulators of different builds.
		if c.QEMU != nil && !seen[c.Cell.Arch+" "+c.QEMU.Build] {
			seen[c.Cell.Arch+" "+c.QEMU.Build] = true
			h.QEMU = append(h.QEMU, report.QEMU{Arch: c.Cell.Arch, Version: c.QEMU.Version, Source: c.QEMU.Source, Build: c.QEMU.Build, Firmware: c.QEMU.Firmware, Command: c.QEMU.Command})
		}
	}
	return h
}

// probeSeconds returns how long each probe of a cell took. One that failed has no time.
func probeSeconds(c evidence.CellRun) map[string]float64 {
	seconds := map[string]float64{}
	for probe, r := range c.Runs {
		if r.Failure == nil {
			seconds[probe] = r.Seconds
		}
	}
	return seconds
}

// retries lists what was tried again on a cell.
func retries(c evidence.CellRun) (all []report.Retry) {
	add := func(probe string, failures []*failure.Failure) {
		for _, f := range failures {
			first, _, _ := strings.Cut(f.Message, "\n")
			all = append(all, report.Retry{Cell: c.Cell.Name, Probe: probe, Kind: string(f.Kind), Reason: first})
		}
	}
	add("", c.Retried)
	for _, probe := range slices.Sorted(maps.Keys(c.Runs)) {
		add(probe, c.Runs[probe].Earlier)
	}
	return all
}

// uncertified turns a decision into one that neither certifies a kernel nor accuses
// one: under a user-mode emulator, claims are about the emulator.
func uncertified(d verdict.Decision) verdict.Decision {
	if d.ExitCode != verdict.ExitInfrastructure {
		d.ExitCode = verdict.ExitIncomplete
	}
	d.Verdict = verdict.Incomplete
	d.Reason += "; this is user-mode emulation, and no kernel was tested"
	d.Chinese += "；这是用户态模拟，没有测试任何内核"
	return d
}

// injected describes the defect of the run, nil for none.
func (in Inputs) injected() *report.Defect {
	name := in.Run.Defect
	if name == "" {
		return nil
	}
	m, ok := defect.Lookup(name)
	if !ok { // the evidence was made by another revision
		return &report.Defect{Name: name}
	}
	d := &report.Defect{Name: m.Name, English: m.English, Chinese: m.Chinese}
	for _, c := range in.Cells {
		t, err := in.Target(c)
		if err != nil {
			continue // the outcomes of the cell report it
		}
		if why := m.Why(t); why != "" {
			d.Unseen = append(d.Unseen, fmt.Sprintf("on %s: %s", c.Cell.Name, why))
		}
	}
	return d
}
