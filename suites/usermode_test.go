package suites

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// hosts reports whether a value of an observation comes from the kernel below an
// emulator: from maps, smaps or the settings of the machine.
func hosts(key string) bool {
	last := key[strings.LastIndexByte(key, '.')+1:]
	return slices.Contains([]string{"start", "end", "mapped", "name", "perms", "vmflags", "thpeligible", "resident", "overcommit", "hugepages", "capeff"}, last)
}

// TestAnEmulatorDecidesNoClaimThatReadsTheHostsKernel fails if an emulator decides a
// claim that needs a value of the host's kernel. It judges the recordings as those
// of an emulator, with all such values taken away.
func TestAnEmulatorDecidesNoClaimThatReadsTheHostsKernel(t *testing.T) {
	_, recorded, err := evidence.LoadFS(fixtures.Recorded())
	if err != nil {
		t.Fatal(err)
	}
	withheld := 0
	for i := range recorded {
		recorded[i].Cell.Host = matrix.UserMode
		for probe, tr := range recorded[i].Transcripts {
			if probe == "facts" || probe == "sysconf" {
				continue
			}
			for j, o := range tr.Observations {
				kept := maps.Clone(o.Values)
				maps.DeleteFunc(kept, func(key, _ string) bool { return hosts(key) })
				withheld += len(o.Values) - len(kept)
				tr.Observations[j].Values = kept
			}
		}
	}
	if withheld == 0 {
		t.Fatal("nothing was withheld")
	}
	outcomes, err := JudgeAll(recorded, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	decided := map[string]bool{}
	for _, o := range outcomes {
		switch o.Status {
		case verdict.Pass, verdict.Fail:
			decided[o.Claim] = true
		case verdict.Unsupported:
			if o.Reason == "" {
				t.Errorf("%s does not say why it is not decided", o.Claim)
			}
		default:
			t.Errorf("%s on %s is %s: %s", o.Claim, o.Cell, o.Status, o.Reason)
		}
	}
	if !decided["MF-101"] || !decided["SZ-001"] || decided["MS-010"] || decided["GR-003"] {
		t.Errorf("decided: %v", slices.Sorted(maps.Keys(decided)))
	}
}

// TestAnEmulatorIsAskedNothingOfTheHostsKernel fails if a probe runs below an
// emulator that decides none of its claims.
func TestAnEmulatorIsAskedNothingOfTheHostsKernel(t *testing.T) {
	for goarch, want := range map[string]string{"arm64": "facts sysconf mapstack mmapabi stage0", "alpha": "facts mapstack mmapabi stage0"} {
		cell := matrix.Cell{Name: "user-" + goarch, Arch: goarch, Host: matrix.UserMode}
		probes, err := Probes([]matrix.Cell{cell}, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(probes[cell.Name], " "); got != want {
			t.Errorf("%s: %s, want %s", goarch, got, want)
		}
	}
}

// TestEveryClaimOfAnEmulatedProbeIsThoughtOf fails if a claim has the default reason
// although an emulator can run its probe.
func TestEveryClaimOfAnEmulatedProbeIsThoughtOf(t *testing.T) {
	table, _ := abi.Lookup("arm64")
	below := claim.Claim{ID: "XX-001"}.Inapplicable(matrix.Cell{Host: matrix.UserMode}, table)
	for _, a := range All() {
		for _, c := range a.Claims {
			c.Unsupported = nil
			if reason := c.Inapplicable(matrix.Cell{}, table); reason != "" {
				t.Errorf("%s does not apply to a guest: %s", c.ID, reason)
			}
			reason := c.Inapplicable(matrix.Cell{Host: matrix.UserMode}, table)
			if slices.Contains([]string{"mapstack", "mmapabi", "variants", "stage0"}, c.Probe) == (reason == below) {
				t.Errorf("%s, of probe %s: %q", c.ID, c.Probe, reason)
			}
		}
	}
}
