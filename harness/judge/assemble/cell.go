package assemble

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/catalog"
)

// described describes every cell. from is the matrix file that some of them are from; nil for none.
func described(from *evidence.Matrix, runs []evidence.CellRun) []report.CellReport {
	var all []report.CellReport
	for _, c := range runs {
		r := cell(c)
		if from != nil && slices.Contains(from.Cells, r.Name) {
			r.Matrix = from.File
		}
		all = append(all, r)
	}
	return all
}

func cell(c evidence.CellRun) report.CellReport {
	r := report.CellReport{Name: c.Cell.Name, Arch: c.Cell.Arch, Tier: string(c.Cell.Tier), Target: string(c.Cell.Host), OS: c.Cell.OS, System: c.Cell.System,
		PageSize: cmp.Or(c.Cell.PageSize, facts.PageSizeOf(c.Transcripts[catalog.Facts])), CPUs: c.Cell.CPUs, MemoryMiB: c.Cell.Memory}
	if c.Kernel != nil {
		r.Kernel = kernel(*c.Kernel)
	}
	policy := &r.Kernel.Provenance.Policy
	if len(*policy) == 0 { // else it has them already, with those that the guest was not given
		for _, s := range c.Cell.Policy {
			*policy = append(*policy, report.PolicyLine{Name: s.Of + " " + s.Name, Value: s.Value, Source: s.Source})
		}
	}
	if q := c.QEMU; q != nil {
		r.Machine, r.Accelerator, r.QEMU = q.Machine, q.Accelerator, q.Build
		for _, p := range q.Params {
			r.KernelParams = append(r.KernelParams, report.Param(p))
		}
	}
	if name, running := accelerators[c.Cell.Host]; running {
		r.Accelerator = name
	}
	if c.Cell.Host == matrix.Native || c.Cell.Host == matrix.SSH {
		h := report.Hardware(facts.HardwareOf(c.Transcripts["facts"]))
		r.Hardware = &h
	}
	if g := c.Guest; g != nil {
		refused(*policy, g.Hello.Notes)
		r.Kernel.Release = g.Hello.Release
		r.Guest = &report.Guest{Image: g.Image, Go: g.Go, Start: starts(c.Runs), BootReason: g.BootReason}
	}
	if f := firstFailure(c); f != nil {
		r.Failure = &report.Failure{Kind: string(f.Kind), Message: f.Message}
	}
	return r
}

func kernel(k evidence.Kernel) report.Kernel {
	p := k.Provenance
	r := report.Kernel{
		Release: k.Release, Format: k.Format, ImageSHA256: k.ImageSHA256, ConfigSHA256: k.ConfigSHA256,
		Provenance: report.Provenance{
			Kind: p.Kind, Suite: p.Suite, Package: p.Package, Version: p.Version, Filename: p.Filename,
			SHA256: p.SHA256, Size: p.Size, Chain: p.Chain, Entries: p.Entries, Compiler: p.Compiler, Warning: p.Warning,
		},
	}
	for _, s := range p.Policy {
		r.Provenance.Policy = append(r.Provenance.Policy, report.PolicyLine(s))
	}
	return r
}

// accelerators names, in the place of QEMU's accelerator, how a system that ran
// already was reached. A full boot has an accelerator of its own.
var accelerators = map[matrix.Host]string{matrix.Native: "native", matrix.SSH: "ssh", matrix.UserMode: "user-mode"}

// refused gives each sysctl that the kernel did not accept the reason. The agent
// notes it as "set sysctl NAME: why" (poc/agent/sysctl.go).
func refused(policy []report.PolicyLine, notes []string) {
	for i := range policy {
		s := &policy[i]
		for _, n := range notes {
			// In a cell of fixtures, the kind of the setting precedes its name.
			if why, ok := strings.CutPrefix(n, "set sysctl "+strings.TrimPrefix(s.Name, matrix.OfSysctl+" ")+": "); ok && s.Left == "" {
				s.Left = "the kernel refuses it: " + why
			}
		}
	}
}

// starts says how the guests of a cell's probe runs were started.
func starts(runs map[string]evidence.ProbeRun) string {
	restored, booted, started := 0, 0, 0
	for _, r := range runs {
		switch r.Guest {
		case evidence.Restored, evidence.Saved:
			restored++
		case evidence.Shared: // counted with the probe that started the guest
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

// firstFailure returns the failure of the cell, else that of its first probe by
// name, else nil.
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
