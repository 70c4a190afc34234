package main

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/guest/prebuilt"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// version is the version of mapstack. Every report has it.
const version = "0.1.0"

// header returns what the report says about the run as a whole.
func header(r evidence.Run, cells []evidence.CellRun) report.Header {
	h := report.Header{
		Tool:    report.Tool{Version: version, Revision: r.Revision, Go: runtime.Version(), Alone: prebuilt.Images() != nil},
		Started: r.Started, Finished: r.Finished,
		Host:     report.Host(r.Host),
		Seconds:  map[string]float64{},
		Warnings: r.Warnings,
	}
	seen := map[string]bool{}
	for _, c := range cells {
		if c.Guest != nil {
			h.Seconds[c.Cell.Name] = c.Seconds
		}
		if c.QEMU != nil && !seen[c.Cell.Arch] {
			seen[c.Cell.Arch] = true
			h.QEMU = append(h.QEMU, report.QEMU{Arch: c.Cell.Arch, Version: c.QEMU.Version, Source: c.QEMU.Source, Build: c.QEMU.Build, Command: c.QEMU.Command})
		}
	}
	return h
}

// hostNames are the words that reports show as the accelerator of a running system.
var hostNames = map[matrix.Host]string{matrix.Native: "native", matrix.SSH: "ssh", matrix.UserMode: "user-mode"}

// uncertified turns a decision into one that neither certifies nor accuses a kernel. Under a
// user-mode emulator the claims hold, or fail, because of the emulator.
func uncertified(d verdict.Decision) verdict.Decision {
	if d.ExitCode != verdict.ExitInfrastructure {
		d.ExitCode = verdict.ExitIncomplete
	}
	d.Verdict = verdict.Incomplete
	d.Reason += "; this is user-mode emulation, and no kernel was tested"
	return d
}

// emulated reports whether any cell is a user-mode emulator.
func emulated(cells []evidence.CellRun) bool {
	return slices.ContainsFunc(cells, func(c evidence.CellRun) bool { return c.Cell.Host == matrix.UserMode })
}

// refused fills in why a kernel did not accept a sysctl. The agent notes it as
// "set sysctl NAME: why" (poc/agent/sysctl.go).
func refused(policy []report.PolicyLine, notes []string) {
	for i := range policy {
		s := &policy[i]
		for _, n := range notes {
			// In a cell of the fixtures, the name begins with what the setting is of.
			if why, ok := strings.CutPrefix(n, "set sysctl "+strings.TrimPrefix(s.Name, matrix.OfSysctl+" ")+": "); ok && s.Left == "" {
				s.Left = "the kernel refuses it: " + why
			}
		}
	}
}

// reportCells returns what the report says about each cell.
func reportCells(cells []evidence.CellRun) []report.CellReport {
	var all []report.CellReport
	for _, c := range cells {
		rc := report.CellReport{Name: c.Cell.Name, Arch: c.Cell.Arch, Tier: string(c.Cell.Tier), Target: string(c.Cell.Host), OS: c.Cell.OS, PageSize: c.Cell.PageSize}
		if k := c.Kernel; k != nil {
			rc.Kernel = report.Kernel{
				Release: k.Release, Format: k.Format, ImageSHA256: k.ImageSHA256, ConfigSHA256: k.ConfigSHA256,
				Provenance: report.Provenance{
					Kind: k.Provenance.Kind, Suite: k.Provenance.Suite, Package: k.Provenance.Package,
					Version: k.Provenance.Version, Filename: k.Provenance.Filename, SHA256: k.Provenance.SHA256,
					Size: k.Provenance.Size, Chain: k.Provenance.Chain, Entries: k.Provenance.Entries, Compiler: k.Provenance.Compiler, Warning: k.Provenance.Warning,
				},
			}
			for _, s := range k.Provenance.Policy {
				rc.Kernel.Provenance.Policy = append(rc.Kernel.Provenance.Policy, report.PolicyLine(s))
			}
		}
		if len(rc.Kernel.Provenance.Policy) == 0 { // the provenance also has the settings that were left out
			for _, s := range c.Cell.Policy {
				rc.Kernel.Provenance.Policy = append(rc.Kernel.Provenance.Policy, report.PolicyLine{Name: s.Of + " " + s.Name, Value: s.Value, Source: s.Source})
			}
		}
		if c.Guest != nil {
			refused(rc.Kernel.Provenance.Policy, c.Guest.Hello.Notes)
			rc.Kernel.Release = c.Guest.Hello.Release
		}
		if q := c.QEMU; q != nil {
			rc.Machine, rc.Accelerator, rc.QEMU = q.Machine, q.Accelerator, q.Build
			for _, p := range q.Params {
				rc.KernelParams = append(rc.KernelParams, report.Param(p))
			}
		}
		if c.Cell.Host != "" && c.Cell.Host != matrix.FullBoot {
			rc.Accelerator = hostNames[c.Cell.Host]
		}
		if g := c.Guest; g != nil {
			rc.Guest = &report.Guest{Image: g.Image, Go: g.Go, Start: starts(c.Runs), BootReason: g.BootReason}
		}
		if f := firstFailure(c); f != nil {
			rc.Failure = &report.Failure{Kind: string(f.Kind), Message: f.Message}
		}
		all = append(all, rc)
	}
	return all
}

// starts says whether the guests of a cell's runs were restored, booted or started.
func starts(runs map[string]evidence.ProbeRun) string {
	restored, booted, started := 0, 0, 0
	for _, r := range runs {
		switch r.Guest {
		case evidence.Restored:
			restored++
		case evidence.Started:
			started++
		default:
			booted++
		}
	}
	switch {
	case started > 0:
		return evidence.Started
	case restored == 0 && booted == 0:
		return ""
	case booted == 0:
		return evidence.Restored
	case restored == 0:
		return evidence.Booted
	}
	return fmt.Sprintf("%d %s, %d %s", restored, evidence.Restored, booted, evidence.Booted)
}

// firstFailure returns the cell's own failure, or that of its first failed probe; nil for none.
func firstFailure(c evidence.CellRun) *failure.Failure {
	if c.Failure != nil {
		return c.Failure
	}
	for _, probe := range slices.Sorted(maps.Keys(c.Runs)) {
		if f := c.Runs[probe].Failure; f != nil {
			return f
		}
	}
	return nil
}
