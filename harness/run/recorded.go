package run

import (
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// kernelEvidence returns what evidence keeps of a kernel image. It leaves out the paths of
// this host.
func kernelEvidence(k kernel.Image) *evidence.Kernel {
	p := k.Provenance
	e := &evidence.Kernel{
		Format: string(k.Format), Layers: k.Layers, Release: k.Release, Banner: k.Banner,
		ConfigSHA256: k.ConfigSHA256, ImageSHA256: k.ImageSHA256,
		Provenance: evidence.Provenance{
			Kind: p.Kind, Suite: p.Suite, Asked: p.Asked, Package: p.Package, Version: p.Version, Filename: p.Filename,
			SHA256: p.SHA256, Size: p.Size, Chain: p.Chain, Entries: p.Entries, Compiler: p.Compiler, Locked: p.Locked, Warning: p.Warning,
		},
	}
	if p.Config != nil {
		config := evidence.Package(*p.Config)
		e.Provenance.Config = &config
	}
	for _, line := range p.Policy {
		e.Provenance.Policy = append(e.Provenance.Policy, evidence.PolicyLine(line))
	}
	return e
}
