package suites

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/judge/explain"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// What a test keeps of the recorded evidence, which is too large for the program.
var (
	//go:embed outcomes.golden
	outcomesGolden string
	//go:embed steps.golden
	stepsGolden string
)

// Explained returns every suite and every claim with all that its literal says of it.
func Explained() (list []explain.Suite, claims []explain.Claim) {
	steps := stepsRead(stepsGolden)
	for _, a := range All() {
		list = append(list, explain.Suite{Name: a.Name, Prefix: a.Prefix, About: report.Text(a.About), Floor: a.Floor})
		detail := map[string]claim.Claim{}
		for _, c := range a.Claims {
			detail[c.ID] = c
		}
		for _, c := range claimsOf([]claim.Suite{a}) {
			one := explain.Claim{Claim: c, Steps: steps[c.ID]}
			if d, known := detail[c.ID]; known {
				one.Probe, one.Finding, one.Needs = d.Probe, d.Finding, needs(d)
				one.On, one.Off = applies(d)
			}
			claims = append(claims, one)
		}
	}
	return list, claims
}

// Recorded returns how every claim is decided on the recorded evidence, by claim and cell.
func Recorded() (all []explain.Recorded, err error) {
	for n, line := range strings.Split(strings.TrimSpace(outcomesGolden), "\n") {
		f := strings.SplitN(line, " ", 4)
		if len(f) < 3 {
			return nil, fmt.Errorf("outcomes.golden, line %d has no claim, cell and status", n+1)
		}
		r := explain.Recorded{Claim: f[0], Cell: f[1], Status: verdict.Status(f[2])}
		if len(f) > 3 {
			r.Reason = f[3]
		}
		all = append(all, r)
	}
	return all, nil
}

// stepsRead returns the steps that each claim reads, by claim: a line has both, parted by tabs.
func stepsRead(text string) map[string][]string {
	steps := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Split(line, "\t")
		steps[f[0]] = f[1:]
	}
	return steps
}

// needs names what the architecture, or the system as it shows itself, must have.
func needs(c claim.Claim) (all []report.Text) {
	for _, f := range c.Needs {
		all = append(all, report.Text{English: string(f), Chinese: chineseFeatures()[f]})
	}
	for _, f := range c.Features {
		all = append(all, report.Text{English: f.Name, Chinese: f.Chinese})
	}
	return all
}

// chineseFeatures names in Chinese what an architecture may lack.
func chineseFeatures() map[abi.Feature]string {
	return map[abi.Feature]string{
		abi.GoPort:      "Go 自身的工具链",
		abi.Sysconf:     "go-sysconf",
		abi.HugePages:   "透明大页",
		abi.Layouts:     "多于一种的映射布局",
		abi.VDSO:        "vDSO",
		abi.Trace:       "PTRACE_GET_SYSCALL_INFO 和 /proc/PID/syscall",
		abi.Tracepoints: "跟踪点",
	}
}

// applies returns the architectures that a claim applies to, and those that its
// Unsupported excludes. Exclusions of single cells are left out.
func applies(c claim.Claim) (on, off []string) {
	if c.Unsupported == nil {
		return nil, nil
	}
	for _, table := range abi.All() {
		cell := matrix.Cell{Arch: table.GOARCH, Policy: []matrix.Setting{{Of: matrix.OfSysctl}}}
		if c.Unsupported(cell, table) == "" {
			on = append(on, table.GOARCH)
		} else {
			off = append(off, table.GOARCH)
		}
	}
	return on, off
}
